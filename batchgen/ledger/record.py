"""What the ledger knows of one request, one attempt, one image, and of the dollars in one bucket."""

from collections.abc import Container
from dataclasses import dataclass, field

__all__ = ["WAITING", "Account", "OpenAttempt", "Redo", "RequestRecord", "SavedImage"]

WAITING = "images/.moving/"
"""Where a finished file waits that is in another's way while both are moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """A paid image as its record has it. `path` is where it belongs now; `run` indexes `State.runs`.

    `placed_at_seq` is the entry that says so: where several records name one path, the file there is the latest one's.
    `moved_from` is where a recorded move took it from: after a crash the file may still be there, as a file that hashes
    to `moved_sha256`. `remains` is where an earlier image of the same request may lie, if not at `path`. `is_intact` is
    False when remains with another hash were put away in its name.
    """

    seq: int
    at: str
    run: int
    attempt: int
    path: str
    bytes: int
    sha256: str
    format: str
    width: int
    height: int
    placed_at_seq: int = 0
    cost_usd: float | None = None
    remains: str | None = None
    moved_from: str | None = None
    moved_sha256: str | None = None
    is_intact: bool = True

    @property
    def is_aside(self) -> bool:
        """Whether the file was put away (`.superseded/`, `.trash/`) or waits, and is nobody's current image."""
        return self.path.startswith("images/.")

    def whereabouts(self, part: str | None, seen: Container[str]) -> str:
        """Where its file is now: `part` is the temp file of its attempt, `seen` are the files there are.

        A crash between a record and its rename leaves the file where it was, and an older one may still have its final
        name; the next run finishes the rename.
        """
        places = (part, self.path, self.moved_from)
        return next((place for place in places if place is not None and place in seen), self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt without an end: its number, seq, reservation and the buckets that its dollars count in."""

    attempt: int
    seq: int
    reserved_usd: float
    run: int
    day: str


@dataclass(slots=True)
class Account:
    """Dollars of one bucket: settled, held for attempts in flight, and maybe billed without an image."""

    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    in_doubt_usd: float = 0.0

    @property
    def committed_usd(self) -> float:
        """What counts against a budget."""
        return self.spent_usd + self.reserved_usd + self.in_doubt_usd


@dataclass(slots=True)
class RequestRecord:
    """Everything the ledger says of one request id.

    `last_seq` is the entry that allows a further attempt (failure, doubt, decision, or the save whose file is gone);
    None before the first attempt. `doubts` counts maybe-billed attempts since the last decision or image.
    `provider` made the last attempt. `url` is where a paid image waits to be fetched. `asked_at_seq` is the entry that
    carries the canonical JSON of the request.
    """

    slot: str = ""
    attempts: int = 0
    last_seq: int | None = None
    open: OpenAttempt | None = None
    saved: SavedImage | None = None
    doubts: int = 0
    doubtful: list[OpenAttempt] = field(default_factory=list)
    is_held: bool = False
    is_refused: bool = False
    is_given_up: bool = False
    failure: str | None = None
    message: str = ""
    url: str | None = None
    provider: str = ""
    asked_at_seq: int | None = None

    @property
    def is_fetchable(self) -> bool:
        """Whether a paid image waits at a known address: fetching it again is free."""
        return self.open is not None and self.url is not None

    def remains_beside(self, path: str) -> str | None:
        """Where the image lies that one at `path` takes the place of, when that is elsewhere and not put away."""
        old = self.saved
        return old.path if old is not None and old.path != path and not old.is_aside else None

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may have been billed without an image, and nobody has settled that yet."""
        if self.is_held:
            return True
        return (self.doubts > 0 or self.open is not None) and not self.is_refused and not self.is_given_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """The standing decision to make a request anew: redo count, overrides, and the seq that says so.

    `before` is the decision with a lower count that stands again if this one is taken back.
    """

    count: int
    overrides: dict[str, object]
    seq: int
    before: "Redo | None" = None
