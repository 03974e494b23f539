"""Every hostile answer by name, over real sockets into real files: it ends as the class that its money demands."""

import asyncio
from dataclasses import replace

import pytest
from faults.case import KEY, misfits, play
from faults.table import CASES

AT_ONCE = 24
GROUPS = list(dict.fromkeys(name.partition(": ")[0] for name in CASES))


def played(root, names):
    """What came of these cases, played at once in one event loop."""

    async def one(number, case, places):
        async with places:
            return await play(case, root / str(number))

    async def main():
        places = asyncio.Semaphore(AT_ONCE)
        seen = (one(number, CASES[name], places) for number, name in enumerate(names))
        return dict(zip(names, await asyncio.gather(*seen, return_exceptions=True), strict=True))

    return asyncio.run(main())


def test_the_table_is_long_enough():
    """It only ever grows."""
    assert len(CASES) >= 500


@pytest.mark.timeout(200)
@pytest.mark.parametrize("group", GROUPS)
def test_each_answer_ends_in_its_class(tmp_path, group):
    """The kind, whether it may have been billed, the bytes on disk and what is kept are as the table says."""
    names = [name for name in CASES if name.startswith(f"{group}: ")]
    wrong = {
        name: repr(seen) if isinstance(seen, BaseException) else misfits(CASES[name], seen)
        for name, seen in played(tmp_path, names).items()
    }
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("framing: length", {"image": b"other"}),
        ("framing: length", {"kind": "in_doubt"}),
        ("framing: length", {"connections": 2}),
        ("picture: png and zip", {"warns": "nothing of the kind"}),
        ("useless: html", {"kind": "in_doubt"}),
        ("useless: html", {"billed": "no"}),
        ("useless: html", {"rejected": False}),
        ("useless: html", {"words": "nothing of the kind"}),
        ("doubtful: comfy's key reuse", {"hold": False}),
        ("wait: seconds", {"wait_seconds": 13.0}),
    ],
)
def test_a_wrong_expectation_is_told(tmp_path, name, wrong):
    """The oracle can fail: whatever a case demands otherwise is found."""
    assert misfits(replace(CASES[name], **wrong), played(tmp_path, [name])[name])


def test_a_stray_file_or_a_leaked_key_is_told(tmp_path):
    """Nor does it overlook what no answer may leave."""
    name = "useless: html"
    seen = played(tmp_path, [name])[name]
    for stray in ({"images/x.png": (0o600, b"x")}, {"images/.rejected/y": (0o600, KEY.encode())}, {"z": (0o644, b"")}):
        assert misfits(CASES[name], replace(seen, files=seen.files | stray))
