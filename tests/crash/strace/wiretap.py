"""What strace saw of a normal run, and whether the order of durable steps was kept. Nothing of batchgen's is asked.

a request on the wire     only after the fdatasync of its attempt_started
image_saved in the ledger only after the fdatasync of its temp file and then an fsync of the folder
the rename                only after the fdatasync of its image_saved
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CALLS = "openat,write,fdatasync,fsync,renameat,renameat2,sendto,sendmsg,writev"
LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)")
ATTEMPT = re.compile(r"X-Client-Request-Id: ([0-9a-f]{32}-\d+)", re.IGNORECASE)
PART = re.compile(r"\.([0-9a-f]{32}-\d+)\.part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call: when it began and ended (line numbers), its name, arguments and result as strace prints them."""

    begun: int
    ended: int
    name: str
    text: str

    @property
    def succeeded(self) -> bool:
        """Whether it returned no error."""
        return " = -1 " not in self.text


def read(trace: str) -> list[Call]:
    """The calls of a trace, in the order in which they began."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[int, str, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        found = LINE.match(line)
        if found is None:
            continue
        if found["resumed"]:
            begun, name, head = open_calls.pop(found["pid"])
            calls.append(Call(begun=begun, ended=number, name=name, text=head + found["rest"]))
        elif found["rest"].endswith("<unfinished ...>"):
            open_calls[found["pid"]] = (number, found["call"], found["rest"].removesuffix("<unfinished ...>"))
        else:
            calls.append(Call(begun=number, ended=number, name=found["call"], text=found["rest"]))
    return sorted(calls, key=lambda call: call.begun)


def violations(calls: Sequence[Call], *, attempts: int) -> Iterator[str]:
    """What was done too early. `attempts` is how many requests must be seen, or nothing was proved."""
    durable = _durable_entries(calls)
    sent = [
        (name, call)
        for call in calls
        if call.name in {"sendto", "sendmsg", "write", "writev"}
        for name in ATTEMPT.findall(call.text)
    ]
    sent = [(name, call) for name, call in sent if "ledger.jsonl" not in call.text]
    renamed = [
        (found[1], call) for call in calls if call.name.startswith("renameat") and (found := PART.search(call.text))
    ]
    saved = [name for kind, name in durable if kind == "image_saved"]
    if not len(sent) == len(renamed) == len(saved) == attempts:
        yield f"seen: {len(sent)} sends, {len(saved)} records, {len(renamed)} renames of {attempts}"
    for name, call in sent:
        if durable.get(("attempt_started", name), (call.begun, call.begun))[1] >= call.begun:
            yield f"{name}: sent before its attempt_started was durable"
    for name, call in renamed:
        if durable.get(("image_saved", name), (call.begun, call.begun))[1] >= call.begun:
            yield f"{name}: renamed before its image_saved was durable"
    for name in saved:
        if not _is_safe(calls, name, before=durable["image_saved", name][0]):
            yield f"{name}: recorded before file and folder were synced"


def _durable_entries(calls: Sequence[Call]) -> dict[tuple[str, str], tuple[int, int]]:
    """For each entry (kind, request-attempt): when its write began, and when the sync after it ended."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    unsynced: list[tuple[tuple[str, str], int]] = []
    for call in calls:
        if "/ledger.jsonl>" not in call.text.partition(",")[0]:
            continue
        if call.name == "write":
            unsynced += [(entry, call.begun) for entry in _entries(call.text)]
        elif call.name == "fdatasync" and call.succeeded:
            found.update({entry: (begun, call.ended) for entry, begun in unsynced})
            unsynced.clear()
    return found


def _entries(text: str) -> Iterator[tuple[str, str]]:
    quoted = text[text.index('"') : text.rindex('"') + 1]
    data = quoted[1:-1].encode("latin-1").decode("unicode_escape")
    for line in data.splitlines():
        entry = json.loads(line)
        if "attempt" in entry:
            yield entry["kind"], f"{entry['request']}-{entry['attempt']}"


def _is_safe(calls: Sequence[Call], name: str, *, before: int) -> bool:
    """Whether the temp file was synced, and the folder after it was made, both before a line of the trace."""
    part = f".{name}.part"
    made = [call.ended for call in calls if call.name == "openat" and part in call.text and "O_CREAT" in call.text]
    synced = [call.ended for call in calls if call.name == "fdatasync" and f"{part}>" in call.text and call.succeeded]
    written = [call.ended for call in calls if call.name == "write" and f"{part}>" in call.text.partition(",")[0]]
    folders = [call for call in calls if call.name == "fsync" and "/images>" in call.text and call.succeeded]
    return (
        bool(made and synced and written)
        and max(written) < synced[0] < before
        and any(made[0] < call.begun and call.ended < before for call in folders)
    )
