"""The entry kinds, and one entry to and from one line of the ledger.

A line is one JSON object in UTF-8 that ends in a newline: `v` first, then `seq`, `at`, `kind` and the fields of its
kind, `crc` last. `crc` is 8 lowercase hex digits of `zlib.crc32(all before ',"crc"', crc of the line before)`, so a
changed, lost, doubled or swapped line breaks the chain. CRC-32 is against accidents, not against attackers.

Unknown fields are skipped and unknown kinds kept as `Unknown`, so an older reader survives a newer writer of the same
major version.
"""

import zlib
from typing import Any

import msgspec

__all__ = [
    "FORMAT_VERSION",
    "NOT_ASKED",
    "AttemptFailed",
    "AttemptStarted",
    "Decision",
    "Entry",
    "ImageLocated",
    "ImageMoved",
    "ImageSaved",
    "RequestFailed",
    "RunFinished",
    "RunStarted",
    "Unknown",
    "decode",
    "encode",
    "is_good",
    "reseal",
    "written_crc",
]

FORMAT_VERSION = 1
NOT_ASKED = msgspec.Raw(b"null")
"""Stands for the canonical JSON where an entry does not carry it."""
_SUFFIX_BYTES = len(b',"crc":"00000000"}')


def _always(value: Any) -> Any:
    """A default for reading old lines that is written all the same: what people search for must be in the file."""
    return msgspec.field(default_factory=lambda: value)


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """One fact. `seq` counts from 1 without gaps and is the order; `at` (RFC 3339, UTC) is for people and buckets."""

    v: int = FORMAT_VERSION
    seq: int = 0
    at: str = ""


class RunStarted(Entry, frozen=True, kw_only=True, tag="run_started"):
    """The lock is held and the plan is made. Durable before the first attempt."""

    run: str
    version: str = ""
    host: str = ""
    boot: str = ""
    pid: int = 0
    manifest: str = ""
    plan: int = 0
    provider: list[str] = []
    profile: str | None = None
    policy: str = _always("resend")
    resends: int | None = None
    budget_usd: float | None = None
    budget_per: str = _always("job")


class AttemptStarted(Entry, frozen=True, kw_only=True, tag="attempt_started"):
    """A request is about to be sent. Durable before the first byte on the socket.

    `because` is null or the seq of the failure, doubt or decision that allows it. `asked` (on a request's first
    attempt) is the canonical JSON that the request id is the hash of.
    """

    request: str
    attempt: int
    because: int | None
    slot: str = ""
    key: str = ""
    provider: str = ""
    window: str = _always("job")
    reserved_usd: float | None = None
    asked: msgspec.Raw = NOT_ASKED


class AttemptFailed(Entry, frozen=True, kw_only=True, tag="attempt_failed"):
    """An attempt ended without an image, or recovery found it open. Durable before the request's next attempt.

    `hold`: never sent again without a decision.
    """

    request: str
    attempt: int
    billed: str
    failure: str = _always("in_doubt")
    status: int | None = None
    code: str | None = None
    message: str = ""
    provider_request_id: str | None = None
    retry_after: float | None = None
    hold: bool = False


class ImageLocated(Entry, frozen=True, kw_only=True, tag="image_located"):
    """The provider answered with a url. Durable before the download, so that recovery can fetch it again, free."""

    request: str
    attempt: int
    url: str


class ImageSaved(Entry, frozen=True, kw_only=True, tag="image_saved"):
    """Paid and safe: the bytes and their folder entry are durable. Durable before the rename to the final name."""

    request: str
    slot: str
    attempt: int
    path: str
    bytes: int
    sha256: str
    format: str
    width: int
    height: int
    usage: dict[str, Any] | None = None
    cost_usd: float | None = None
    revised_prompt: str | None = None
    provider_request_id: str | None = None
    seconds: float = 0.0


class ImageMoved(Entry, frozen=True, kw_only=True, tag="image_moved", rename={"source": "from", "target": "to"}):
    """A finished file gets another place. Durable before the rename; `sha256` is that of the file as it is on disk."""

    request: str
    slot: str
    source: str
    target: str
    sha256: str


class RequestFailed(Entry, frozen=True, kw_only=True, tag="request_failed"):
    """Final: for this run, or for good (refused)."""

    request: str
    slot: str
    reason: str


class Decision(Entry, frozen=True, kw_only=True, tag="decision"):
    """The user said so. Durable before the attempt that cites it.

    `what` is redo, resend, give_up, not_billed, adopt, repair or remake. `requests` are the resolved ids (for redo: the
    ids with redo count 0). An adopted file carries slot, path, bytes and sha256; a repair the first and last lost seq.
    """

    what: str
    requests: list[str] = []
    by: str = ""
    count: int | None = None
    overrides: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None
    slot: str | None = None
    path: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    first: int | None = None
    last: int | None = None


class RunFinished(Entry, frozen=True, kw_only=True, tag="run_finished"):
    """The end of a run: counts by outcome, dollars spent, dollars in doubt, exit code."""

    run: str
    counts: dict[str, int]
    spent_usd: float | None = None
    in_doubt_usd: float | None = None
    exit_code: int = _always(0)


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a kind that this version does not know; kept and skipped."""

    v: int
    seq: int
    at: str = ""
    kind: str = ""


_Known = (
    RunStarted
    | AttemptStarted
    | AttemptFailed
    | ImageLocated
    | ImageSaved
    | ImageMoved
    | RequestFailed
    | Decision
    | RunFinished
)
_KINDS = {str(kind.__struct_config__.tag) for kind in _Known.__args__}
_encoder = msgspec.json.Encoder()
_known = msgspec.json.Decoder(_Known)
_unknown = msgspec.json.Decoder(Unknown)


def encode(entry: Entry, *, seq: int, at: str, crc: int) -> tuple[bytes, int]:
    """One line and its checksum; `crc` is the checksum of the line before, 0 for the first."""
    try:
        fields = _encoder.encode(entry)
    except UnicodeEncodeError:
        # An answer may hold half a surrogate pair; an odd character must not cost the record of a paid image.
        legal = {name: _legal(value) for name, value in msgspec.structs.asdict(entry).items()}
        fields = _encoder.encode(msgspec.structs.replace(entry, **legal))
    body = b'{"v":%d,"seq":%d,"at":"%s",' % (FORMAT_VERSION, seq, at.encode()) + fields[1:-1]
    own = zlib.crc32(body, crc)
    return body + b',"crc":"%08x"}\n' % own, own


def decode(line: bytes) -> Entry | Unknown:
    """The entry of a line (without its newline) that `is_good`.

    Raises ValueError when it is no entry, or one of a known kind that lacks what its kind needs.
    """
    try:
        entry: Entry = _known.decode(line)
    except msgspec.MsgspecError as problem:
        try:
            stranger = _unknown.decode(line)
        except msgspec.MsgspecError:
            raise ValueError(str(problem)) from problem
        if stranger.kind in _KINDS:
            raise ValueError(str(problem)) from problem
        return stranger
    return entry


def _legal(value: Any) -> Any:
    """The same value in legal Unicode."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_legal(item) for item in value]
        case dict():
            return {_legal(name): _legal(item) for name, item in value.items()}
    return value


def reseal(line: bytes, crc: int) -> tuple[bytes, int]:
    """A line that `is_good` (without its newline) as it is after another one: its new line, and its new checksum."""
    body = line[:-_SUFFIX_BYTES]
    own = zlib.crc32(body, crc)
    return body + b',"crc":"%08x"}\n' % own, own


def written_crc(line: bytes) -> int | None:
    """The checksum that a line (without its newline) carries, or None when it carries none."""
    digits = line[-10:-2]
    if line[-_SUFFIX_BYTES:-10] != b',"crc":"' or line[-2:] != b'"}' or digits.strip(b"0123456789abcdef"):
        return None
    return int(digits, 16)


def is_good(line: bytes, crc: int) -> bool:
    """Whether a line checks against the checksum of the line before it."""
    return written_crc(line) == zlib.crc32(line[:-_SUFFIX_BYTES], crc)
