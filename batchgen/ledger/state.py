"""What the entries amount to: a fold over the ledger, pure, one step per entry.

A request is *in doubt* while an attempt of it was sent, no answer says whether it was billed, and no image came later.
Dollars follow each attempt: reserved while it is open, then spent (an image came), free (not billed) or in doubt.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from batchgen.ledger.entry import (
    NOT_ASKED,
    AttemptFailed,
    AttemptStarted,
    Decision,
    Entry,
    ImageLocated,
    ImageMoved,
    ImageSaved,
    RequestFailed,
    RunFinished,
    RunStarted,
    Unknown,
)
from batchgen.ledger.record import WAITING, Account, OpenAttempt, Redo, RequestRecord, SavedImage

__all__ = ["State", "fold"]


@dataclass(slots=True)
class State:
    """What folding the entries yields.

    `lost` are the gaps that repairs named, by seq. `lost_until` is the time of the last repair while nobody has settled
    what its lost lines may have bought, else empty.
    """

    records: dict[str, RequestRecord] = field(default_factory=dict)
    by_slot: dict[str, str] = field(default_factory=dict)
    redos: dict[str, Redo] = field(default_factory=dict)
    runs: list[RunStarted] = field(default_factory=list)
    finished: dict[str, RunFinished] = field(default_factory=dict)
    days: dict[str, Account] = field(default_factory=dict)
    run_accounts: list[Account] = field(default_factory=list)
    remake: set[str] = field(default_factory=set)
    lost: list[tuple[int, int]] = field(default_factory=list)
    lost_until: str = ""

    def apply(self, entry: Entry | Unknown) -> None:
        """Fold one entry in. Entries of unknown kinds change nothing."""
        match entry:
            case AttemptStarted():
                self._attempt_started(entry)
            case ImageSaved():
                self._image_saved(entry)
            case AttemptFailed():
                self._attempt_failed(entry)
            case _:
                self._apply_rare(entry)

    def _apply_rare(self, entry: Entry | Unknown) -> None:
        match entry:
            case ImageLocated():
                self._record(entry.request).url = entry.url
            case ImageMoved():
                self._image_moved(entry)
            case RequestFailed():
                self._request_failed(entry)
            case RunStarted():
                self._run_started(entry)
            case RunFinished():
                self.finished[entry.run] = entry
            case Decision():
                self._decision(entry)
            case _:
                pass

    def is_run_finished(self, index: int) -> bool:
        """Whether the run with this index ended in an orderly way."""
        return 0 <= index < len(self.runs) and self.runs[index].run in self.finished

    def committed_usd(self, *, window: str, run: int | None = None) -> float:
        """Dollars that count against a budget: `job`, a UTC day or month, or (with its index) a run."""
        if run is not None:
            return self.run_accounts[run].committed_usd if run < len(self.run_accounts) else 0.0
        prefix = "" if window == "job" else window
        return sum(account.committed_usd for day, account in self.days.items() if day.startswith(prefix))

    def _record(self, request: str) -> RequestRecord:
        record = self.records.get(request)
        if record is None:
            record = self.records[request] = RequestRecord()
        return record

    def _accounts(self, attempt: OpenAttempt) -> tuple[Account, Account]:
        return self.days.setdefault(attempt.day, Account()), self.run_accounts[attempt.run]

    def _run_started(self, entry: RunStarted) -> None:
        self.runs.append(entry)
        self.run_accounts.append(Account())

    def _attempt_started(self, entry: AttemptStarted) -> None:
        record = self._record(entry.request)
        # An attempt that a crash left open and that recovery did not close still counts as a doubt.
        if record.open is not None:
            self._doubt(record, record.open, entry.seq)
        if not self.run_accounts:
            self._run_started(RunStarted(run="", at=entry.at))
        record.slot = entry.slot or record.slot
        record.attempts = max(record.attempts, entry.attempt)
        record.url = None
        record.provider = entry.provider
        day = entry.at[:10]
        # It counts in the day or month that its budget was reserved in, even if the record is from after midnight.
        if entry.window[4:5] == "-" and not day.startswith(entry.window):
            day = entry.window
        record.open = OpenAttempt(
            attempt=entry.attempt,
            seq=entry.seq,
            reserved_usd=entry.reserved_usd or 0.0,
            run=len(self.run_accounts) - 1,
            day=day,
        )
        if entry.asked is not NOT_ASKED:
            record.asked_at_seq = entry.seq
        for account in self._accounts(record.open):
            account.reserved_usd += record.open.reserved_usd

    def _attempt_failed(self, entry: AttemptFailed) -> None:
        record = self._record(entry.request)
        record.failure, record.message = entry.failure, entry.message
        record.attempts = max(record.attempts, entry.attempt)
        record.is_refused = entry.failure == "refused"
        record.is_held = record.is_held or entry.hold
        record.last_seq = entry.seq
        attempt, record.open = record.open, None
        if entry.billed == "maybe":
            self._doubt(record, attempt, entry.seq)
        elif attempt is not None:
            for account in self._accounts(attempt):
                account.reserved_usd -= attempt.reserved_usd

    def _doubt(self, record: RequestRecord, attempt: OpenAttempt | None, seq: int) -> None:
        record.doubts += 1
        record.last_seq = seq
        record.open = None
        if attempt is None:
            return
        record.doubtful.append(attempt)
        for account in self._accounts(attempt):
            account.reserved_usd -= attempt.reserved_usd
            account.in_doubt_usd += attempt.reserved_usd

    def _image_saved(self, entry: ImageSaved) -> None:
        record = self._record(entry.request)
        attempt, record.open = record.open, None
        record.attempts = max(record.attempts, entry.attempt)
        record.saved = SavedImage(
            seq=entry.seq,
            at=entry.at,
            run=len(self.runs) - 1,
            attempt=entry.attempt,
            path=entry.path,
            bytes=entry.bytes,
            sha256=entry.sha256,
            format=entry.format,
            width=entry.width,
            height=entry.height,
            placed_at_seq=entry.seq,
            cost_usd=entry.cost_usd,
            remains=record.remains_beside(entry.path),
        )
        self._closed_with_image(record, entry.slot, entry.request, entry.seq)
        if attempt is None:
            return
        cost = attempt.reserved_usd if entry.cost_usd is None else entry.cost_usd
        for account in self._accounts(attempt):
            account.reserved_usd -= attempt.reserved_usd
            account.spent_usd += cost

    def _closed_with_image(self, record: RequestRecord, slot: str, request: str, seq: int) -> None:
        record.slot = slot or record.slot
        record.last_seq = seq
        record.doubts = 0
        record.is_held = record.is_refused = record.is_given_up = False
        record.failure, record.message, record.url = None, "", None
        self.by_slot[record.slot] = request
        self.remake.discard(request)

    def _image_moved(self, entry: ImageMoved) -> None:
        record = self.records.get(entry.request)
        if record is None or record.saved is None:
            return
        is_aside = entry.target.startswith("images/.")
        record.saved = dataclasses.replace(
            record.saved,
            path=entry.target,
            placed_at_seq=entry.seq,
            remains=None,
            moved_from=entry.source,
            moved_sha256=entry.sha256,
            is_intact=entry.sha256 == record.saved.sha256 or not is_aside or entry.target.startswith(WAITING),
        )
        if not is_aside:
            record.slot = entry.slot or record.slot
            self.by_slot[record.slot] = entry.request

    def _request_failed(self, entry: RequestFailed) -> None:
        record = self._record(entry.request)
        record.slot = entry.slot or record.slot
        record.message = record.message or entry.reason

    def _decision(self, entry: Decision) -> None:
        if entry.what == "repair":
            self._repaired(entry)
        elif entry.last is not None:
            # Whoever resolved all that the lost lines left in doubt has settled them.
            self.lost_until = ""
        for request in entry.requests:
            self._decided(entry, request)

    def _repaired(self, entry: Decision) -> None:
        """The lost lines may have held the purchase of anything that has no image yet."""
        # The decision that closes a repair names the gaps before it once more.
        if entry.last is not None and entry.last >= entry.seq:
            self.lost.append((entry.first or 0, entry.last))
        self.lost_until = entry.at
        for record in self.records.values():
            record.is_held = record.is_held or (record.saved is None and not record.is_given_up)

    def _decided(self, entry: Decision, request: str) -> None:
        if entry.what == "redo":
            self._redone(entry, request)
            return
        record = self._record(request)
        if record.open is not None:
            self._doubt(record, record.open, entry.seq)
        record.last_seq = entry.seq
        record.doubts = 0
        record.is_held = record.is_refused = False
        record.is_given_up = entry.what == "give_up"
        if entry.what == "not_billed":
            self._forgive(record)
        elif entry.what == "remake":
            self.remake.add(request)
        elif entry.what == "adopt" and entry.path is not None:
            self._adopted(record, entry, request)

    def _redone(self, entry: Decision, request: str) -> None:
        count, before = entry.count or 0, self.redos.get(request)
        while before is not None and before.count >= count:
            before = before.before
        self.redos[request] = Redo(count=count, overrides=dict(entry.overrides or {}), seq=entry.seq, before=before)

    def _forgive(self, record: RequestRecord) -> None:
        for attempt in record.doubtful:
            for account in self._accounts(attempt):
                account.in_doubt_usd -= attempt.reserved_usd
        record.doubtful.clear()

    def _adopted(self, record: RequestRecord, entry: Decision, request: str) -> None:
        record.saved = SavedImage(
            seq=entry.seq,
            at=entry.at,
            run=len(self.runs) - 1,
            attempt=record.attempts,
            path=entry.path or "",
            bytes=entry.bytes or 0,
            sha256=entry.sha256 or "",
            format=(entry.path or "").rpartition(".")[2],
            width=0,
            height=0,
            placed_at_seq=entry.seq,
            cost_usd=0.0,
        )
        self._closed_with_image(record, entry.slot or "", request, entry.seq)


def fold(entries: Iterable[Entry | Unknown]) -> State:
    """The state after `entries`, in order."""
    state = State()
    for entry in entries:
        state.apply(entry)
    return state
