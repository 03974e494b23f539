"""A key that a server echoes in every form and every place leaves no trace in anything that stays or is shown."""

import base64
import html
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from fakes import program
from fakes.job import Job
from fakes.raw_server import http
from faults.bodies import PNG, complaint, document, event, items, page, text
from faults.echo import Echo

from batchgen.cli.boundary import Boundary
from batchgen.cli.screen import Screen

KEY = "sk-canary/Ab+12=34&56<78>\"90'xyZ"


def base(data: str) -> str:
    return base64.b64encode(data.encode()).decode()


FORMS = {
    "raw": KEY,
    "bearer": f"Bearer {KEY}",
    "base64": base(KEY),
    "base64 of the header": base(f"Bearer {KEY}"),
    "base64 in something longer": base(f"x:{KEY}:y"),
    "url-safe base64": base64.urlsafe_b64encode(f"ab{KEY}".encode()).decode(),
    "url": quote(KEY, safe=""),
    "url with slashes": quote(KEY),
    "form": quote_plus(KEY),
    "url in lower case": re.sub("%..", lambda found: found[0].lower(), quote(KEY, safe="")),
    "json": json.dumps(KEY)[1:-1],
    "json as go writes it": json.dumps(KEY)[1:-1]
    .replace("&", "\\u0026")
    .replace("<", "\\u003c")
    .replace(">", "\\u003e"),
    "html": html.escape(KEY),
    "html, quotes as they are": html.escape(KEY, quote=False),
    "html, other quotes": html.escape(KEY).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "hex": KEY.encode().hex(),
    "broken by an escape": f"{KEY[:9]}\x1b[0m{KEY[9:]}",
    "broken by an invisible sign": f"{KEY[:9]}\u200b{KEY[9:]}",
}
TRACES = [form.encode() for name, form in FORMS.items() if not name.startswith("broken")]
PLACES = {
    "message": lambda form: http(400, complaint(f"bad key {form} !")),
    "code": lambda form: http(400, complaint("x", code=form, type=form, param=form)),
    "page": lambda form: http(400, page(f"no {form} no")),
    "text": lambda form: http(400, f"what is {form} ?".encode()),
    "request id": lambda form: http(400, complaint("x"), {"x-request-id": latin(form)}),
    "request id in the text": lambda form: http(400, complaint(f"no (request id: {form})")),
    "unusable page": lambda form: http(200, page(f"hello {form}")),
    "unusable json": lambda form: http(200, json.dumps({"data": [], "echo": form, form: 1}).encode()),
    "raw json": lambda form: http(200, b'{"data":[],"echo":"' + form.encode() + b'"}'),
    "unusable stream": lambda form: http(200, b"event: error\ndata: " + complaint(form) + b"\n\n"),
    "garbage": lambda form: f"{form}\r\n\r\n".encode(),
    "status line": lambda form: f"HTTP/1.1 {form} OK\r\n\r\n".encode(),
    "broken header": lambda form: f"HTTP/1.1 200 OK\r\nX {form}\r\n\r\n".encode(),
    "redirect": lambda form: http(307, b"", {"Location": f"/{latin(form)}"}),
    "address": lambda form: http(200, items({"url": f"ftp://h.example/{form}"})),
    "private address": lambda form: http(200, items({"url": f"https://127.0.0.1/{quote(form)}?k={quote(form)}"})),
    "revised prompt": lambda form: http(200, items({"b64_json": text(), "revised_prompt": f"a {form} b"})),
    "echoed facts": lambda form: http(200, document(size=form, quality=form, model=form, usage={form: 1, "a": 2})),
    "completed event": lambda form: http(200, event(revised_prompt=form, size=form)),
    "raw image and header": lambda form: http(200, PNG, {"x-request-id": latin(form), "ETag": latin(form)}),
}


def latin(form: str) -> str:
    """As far as a header can hold it."""
    return "".join(char for char in form if 31 < ord(char) < 256)


def traces(data: bytes) -> list[bytes]:
    """The forms of the key that are in there."""
    return [form for form in TRACES if form in data]


def leaks(place: Path, *said: program.Finished) -> list[str]:
    """Where the key is, among all files below a folder and all that was printed."""
    found = [f"{path}: {hit!r}" for path in place.rglob("*") if path.is_file() for hit in traces(path.read_bytes())]
    found += [f"name {path}" for path in place.rglob("*") if traces(str(path).encode())]
    for number, finished in enumerate(said):
        found += [f"said {number}: {hit!r}" for hit in traces((finished.out + finished.err).encode())]
    return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run over every form in every place, and what every other command says afterwards."""
    folder = tmp_path_factory.mktemp("echo")
    wires = [make(form) for make in PLACES.values() for form in FORMS.values()]
    with Echo(wires) as server:
        job = Job(
            folder,
            {"use": "openai", "base_url": server.url},
            prompts=[{"id": f"e{number}", "text": f"echo-{number}"} for number in range(len(wires))],
            limits={"max_failures": "100%", "concurrency": 8, "max_images": 1000},
            retry={"in_doubt": "hold", "attempts": 1, "waits": [0.01], "max_wait": 0.05, "give_up_after": 30},
        )
        job.environment["OPENAI_API_KEY"] = KEY
        said = [
            job.call("run", "-v"),
            job.call("run", "--json", "-v"),
            *(job.call(verb, *more) for verb, *more in (
                ["plan"], ["plan", "--json"], ["status"], ["ls"], ["verify"], ["verify", "--full"], ["providers"],
                ["plan", "--explain", "e1/v1"], ["show", "e1/v1"], ["retry", "--refused"],
            )),
        ]  # fmt: skip
        yield job, said, server


def test_the_key_was_really_used(ran):
    """The suite proves nothing if the key never went out."""
    _, _, server = ran
    assert len(server.heard) >= len(PLACES) * len(FORMS)
    assert all(KEY.encode() in head for head in server.heard if head.startswith(b"POST"))


def test_no_artefact_holds_the_key(ran):
    """Ledger, logs, report, rejected answers, pictures' names and every command's output: not one trace."""
    job, said, _ = ran
    assert len(job.ledger) > len(PLACES) * len(FORMS)
    assert leaks(job.folder, *said) == []


def test_every_file_is_the_users_alone(ran):
    """After a run of everything: files 0600, folders 0700, whatever the umask."""
    job, _, _ = ran
    odd = [
        (str(path.relative_to(job.place)), oct(path.stat().st_mode & 0o777))
        for path in [job.place, *job.place.rglob("*")]
        if path.stat().st_mode & 0o777 != (0o700 if path.is_dir() else 0o600)
    ]
    assert odd == []


@pytest.mark.parametrize("form", FORMS)
def test_a_crash_log_holds_no_key(tmp_path, form):
    """An error that nobody expected may quote anything; its traceback is scrubbed before it is written."""
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out=out, err=err, environ={})
    boundary = Boundary(screen=screen, environ={}, log_folder=tmp_path, secrets=[KEY], json=True)

    def crash():
        secret = FORMS[form]
        message = f"{secret} is in the text"
        raise RuntimeError(message) from ValueError({"Authorization": secret})

    assert boundary.guard(crash) == 1
    (log,) = tmp_path.iterdir()
    assert "RuntimeError" in log.read_text()
    assert traces(log.read_bytes() + out.getvalue().encode() + err.getvalue().encode()) == []
    assert log.stat().st_mode & 0o777 == 0o600


def test_no_argument_of_any_process_holds_the_key(tmp_path):
    """`ps` shows arguments to everybody on the machine; a key from the environment or a command is never among them."""
    seen = []
    with Echo([http(200, document())]) as server:
        job = Job(tmp_path, {"use": "openai", "base_url": server.url}, prompts=[{"id": "a", "text": "echo-0"}])
        job.environment["OPENAI_API_KEY"] = KEY
        asked = [sys.executable, "-m", "batchgen", "run", str(job.path), "-v"]
        process = subprocess.Popen(
            asked,
            env=program.environment(job.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            for place in Path("/proc").glob("[0-9]*"):
                with_parent = [place.name == str(process.pid), _parent(place) == process.pid]
                if any(with_parent):
                    seen.append(_read(place / "cmdline"))
    assert any(b"batchgen" in line for line in seen)
    assert not any(traces(line) for line in seen)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(place: Path) -> int:
    stat = _read(place / "stat").rpartition(b")")[2].split()
    return int(stat[1]) if len(stat) > 1 else 0
