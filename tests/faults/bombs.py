"""Bombs: small inputs that unfold without end. Each goes off in a process of its own with a lid on its memory.

    python -m tests.faults.bombs answers        from the repository's root; prints what each did and how far memory grew

The child sets a limit on its address space, so that a bomb that works ends the child and not the machine.
"""

import asyncio
import base64
import gzip
import io
import json
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.pictures import png_header
from fakes.raw_server import http
from faults.bodies import document, drawn, png_with
from faults.case import Case, play
from PIL import Image

from batchgen.errors import InputError
from batchgen.manifest.load import load
from batchgen.plan.expand import expand

LID_BYTES = 2 << 30
GZIP = {"Content-Encoding": "gzip"}
HEAD = "version: 1\nname: bomb\n"
PROMPT = HEAD + "prompts: [{id: a, text: '%s'}]\n"


def _aliases(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return HEAD + "\n".join(lines) + f"\nprompts: *a{levels - 1}\n"


MANIFESTS: dict[str, Callable[[], str]] = {
    "a billion laughs": lambda: _aliases(10, 10),
    "a deep alias": lambda: _aliases(200, 2),
    "a quadratic alias": lambda: HEAD + "x: &a '" + "y" * 50_000 + "'\nprompts: [" + "*a, " * 50_000 + "]\n",
    "an alias to itself": lambda: HEAD + "prompts: &a [*a]\n",
    "a mapping within itself": lambda: HEAD + "vars: &a {x: *a}\nprompts: [hi]\n",
    "a merge without end": lambda: HEAD + "x: &a\n  <<: *a\nprompts: [hi]\n",
    "merges of merges": lambda: (
        HEAD
        + "".join(
            f"m{n}: &m{n} {{{', '.join(f'<<: *m{n - 1}' if n else 'k: v' for _ in range(1 if not n else 3))}}}\n"
            for n in range(30)
        )
        + "prompts: [hi]\n"
    ),
    "100,000 levels": lambda: HEAD + "prompts: " + "[" * 100_000 + "]" * 100_000 + "\n",
    "100,000 levels of objects": lambda: HEAD + "vars: " + "{a: " * 100_000 + "1" + "}" * 100_000 + "\n",
    "100,000 levels by dashes": lambda: HEAD + "prompts:\n" + "- " * 100_000 + "x\n",
    "a number of a million digits": lambda: HEAD + "prompts: [a]\nrepeat: " + "9" * 1_000_000 + "\n",
    "a number of sixty parts": lambda: HEAD + "prompts: [a]\nrepeat: 1" + ":59" * 100_000 + "\n",
    "a float without end": lambda: HEAD + "prompts: [a]\nlimits: {budget_usd: 1e" + "9" * 5000 + "}\n",
    "a python object": lambda: HEAD + "prompts: !!python/object/apply:os.system ['echo owned']\n",
    "nothing but bytes": lambda: "\x01" * 100_000,
    "ten thousand keys": lambda: HEAD + "vars: {" + ", ".join(f"k{n}: 1" for n in range(10_000)) + "}\nprompts: [a]\n",
    "a product of a thousand million": lambda: (
        HEAD
        + "matrix: {"
        + ", ".join(f"x{n}: [{', '.join(map(str, range(1000)))}]" for n in range(3))
        + "}\nprompts: ['${{ x0 }}']\n"
    ),
    "a repeat of a thousand million": lambda: HEAD + "prompts: [a]\nrepeat: 1000000000\n",
    "a text times a thousand million": lambda: PROMPT % '${{ "a" * 1000000000 }}',
    "a list times a thousand million": lambda: PROMPT % "${{ [0] * 1000000000 }}",
    "a power of a power": lambda: PROMPT % "${{ 9 ** 9 ** 9 }}",
    "a shift by a filter": lambda: PROMPT % "${{ (10 ** 100000) ** 1000 }}",
    "a wide filter": lambda: PROMPT % '${{ "a" | center(1000000000) }}',
    "a wide format": lambda: PROMPT % '${{ "%1000000000d" % 1 }}',
    "a wide format method": lambda: PROMPT % '${{ "{:>1000000000}".format(1) }}',
    "a range without end": lambda: PROMPT % "${{ range(1000000000) | list }}",
    "a range in a sum": lambda: PROMPT % "${{ range(99999) | sum }}",
    "text that doubles": lambda: PROMPT % ("${{ " + "(" * 40 + '"a"' + ' ~ "a") * 9' * 40 + " }}"),
    "replacing that doubles": lambda: PROMPT % ('${{ "aa"' + '.replace("a", "aaaaaaaaaa")' * 12 + " }}"),
    "replacing by a filter": lambda: PROMPT % ('${{ "aa"' + ' | replace("a", "aaaaaaaaaa")' * 12 + " }}"),
    "indents": lambda: PROMPT % '${{ "a" | indent(1000000000, true) }}',
    "brackets": lambda: PROMPT % ("${{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"),
    "a class of a class": lambda: PROMPT % '${{ "".__class__.__mro__[1].__subclasses__() }}',
    "lorem": lambda: PROMPT % "${{ lipsum(n=100000) }}",
    "a loop in a loop": lambda: (
        PROMPT % "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"
    ),
    "a join of a range": lambda: PROMPT % '${{ range(90000) | join("x" * 90000) }}',
}


def _zipped(size: int, start: bytes, fill: bytes) -> bytes:
    """Gzip that unfolds to about `size`; its blocks repeat one, so that making it takes no time. Its end is missing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(fill * ((1 << 20) // len(fill))) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size >> 20)


def _png(width: int, height: int) -> bytes:
    """A whole PNG of one colour, made row by row: a few hundred kilobytes that decode to hundreds of megabytes."""
    packer = zlib.compressobj(1)
    row = b"\0" + bytes(width * 3)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _unfolding(body: bytes) -> Case:
    return Case(kind="bad_answer", billed="maybe", steps=(http(200, body, GZIP),))


def _picture(data: bytes, kind: str = "bad_answer") -> Case:
    billed = "no" if kind == "image" else "maybe"
    return Case(kind=kind, billed=billed, steps=(http(200, data),), image=data if kind == "image" else b"")


def answers() -> Iterator[tuple[str, Case]]:
    """Answers that unfold; all of them small on the wire."""
    yield "gzip of a gigabyte of nothing", _unfolding(_zipped(1 << 30, b"", b"\0"))
    yield "gzip of a gigabyte of white space", _unfolding(_zipped(1 << 30, b"", b" "))
    yield "gzip of an image of a gigabyte", _unfolding(_zipped(1 << 30, b'{"b64_json":"', b"QUJD"))
    yield "gzip of a name of 256 MB", _unfolding(_zipped(1 << 28, b'{"', b"x"))
    yield "gzip of brackets", _unfolding(_zipped(1 << 26, b"", b"["))
    yield "gzip of events", _unfolding(_zipped(1 << 26, b"data: ", b"x"))
    yield "gzip in 1024 members", _unfolding(gzip.compress(bytes(1 << 20)) * 1024)
    yield "gzip in gzip", _unfolding(gzip.compress(_zipped(1 << 28, b"", b"\0")))
    yield "png of 8000 pixels square", _picture(_png(8000, 8000))
    yield "png of 4096 pixels square", _picture(_png(4096, 4096), "image")
    yield "png that claims 2^31 pixels", _picture(png_header(65_535, 32_769))
    yield "webp of 5000 pixels square", _picture(_webp(5000))
    yield "webp of 4096 pixels square", _picture(_webp(4096), "image")
    yield "jpeg that claims 65,500 pixels square", _picture(_claiming(drawn("JPEG"), 65_500))
    jpeg = drawn("JPEG", size=(4096, 4096), quality=30)
    yield "jpeg of 4096 pixels square", _picture(jpeg, "image")
    jpeg = drawn("JPEG", size=(4096, 4096), quality=30, progressive=True)
    yield "progressive jpeg of 4096 pixels square", _picture(jpeg, "image")
    jpeg = drawn("JPEG", "CMYK", size=(3840, 2160), quality=30, progressive=True)
    yield "progressive cmyk jpeg of the largest size sold", _picture(jpeg, "image")
    zipped = zlib.compress(bytes(80 << 20), 9)
    yield "png with a text of 80 MB", _picture(png_with((b"zTXt", b"a\0\0" + zipped)), "either")
    yield "png with a profile of 80 MB", _picture(png_with((b"iCCP", b"a\0\0" + zipped)), "either")
    yield "png with 20,000 texts", _picture(png_with(*[(b"tEXt", b"a\0" + b"b" * 20)] * 20_000), "either")
    yield "apng that claims 10^5 frames", _picture(png_with((b"acTL", struct.pack(">II", 100_000, 0))), "either")
    yield (
        "text in place of an image",
        Case(kind="bad_answer", billed="maybe", steps=(http(200, document(base64.b64encode(bytes(700_000)))),)),
    )


def _webp(edge: int) -> bytes:
    target = io.BytesIO()
    Image.new("L", (edge, edge)).convert("RGB").save(target, "WEBP", quality=1, method=0)
    return target.getvalue()


def _claiming(jpeg: bytes, edge: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", edge, edge) + jpeg[at + 4 :]


def peak() -> int:
    """The most memory that this process ever had resident, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def try_manifests(place: Path) -> dict[str, Any]:
    """Load and expand each; `verdict` is `refused`, `planned`, or what it raised."""
    _verdict(place, PROMPT % "hello")
    before, seen, grown = peak(), {}, {}
    for name, make in MANIFESTS.items():
        text, start = make(), peak()
        seen[name] = _verdict(place, text)
        grown[name] = peak() - start
    return {"verdicts": seen, "grown": grown, "growth_mib": peak() - before}


def _verdict(place: Path, text: str) -> str:
    path = place / "job.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        count = len(expand(load(path, environ={})).requests)
    except InputError as problem:
        return f"refused: {str(problem)[:100]}"
    except BaseException as problem:  # noqa: BLE001  what must not happen is what is asked
        return f"raised: {problem!r}"[:200]
    return f"planned {count}"


def write_answers(place: Path) -> None:
    """Make the answers in a process whose memory does not count."""
    for number, (name, case) in enumerate(answers()):
        (place / f"{number:02}.name").write_text(f"{case.kind}\n{name}")
        (place / f"{number:02}.wire").write_bytes(case.steps[0])  # type: ignore[arg-type]
        (place / f"{number:02}.image").write_bytes(case.image)


def try_answers(place: Path) -> dict[str, Any]:
    """Play each answer that lies in a folder."""
    seen: dict[str, Any] = {"warm": _played(place / "warm", http(200, document()))}
    before = peak()
    grown = {}
    for named in sorted(place.glob("*.name")):
        kind, name = named.read_text().split("\n")
        start = peak()
        seen[name] = [kind, _played(place / named.stem, named.with_suffix(".wire").read_bytes())]
        grown[name] = peak() - start
    return {"verdicts": seen, "grown": grown, "growth_mib": peak() - before}


def _played(place: Path, wire: bytes) -> str:
    case = Case(kind="", steps=(wire,), max_bytes=8 << 20)
    seen = asyncio.run(play(case, place))
    return getattr(seen.outcome, "kind", "image")


def main() -> int:
    """Let the bombs of one kind go off."""
    what = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(name)
        if what == "make":
            write_answers(place)
            return 0
        resource.setrlimit(resource.RLIMIT_AS, (LID_BYTES, LID_BYTES))
        print(json.dumps(try_manifests(place) if what == "manifests" else try_answers(place), indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
