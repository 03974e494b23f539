"""The ledger read by an auditor: what allowed each attempt, where each image must be, and the money.

Rules and numbers are those of the ledger's description: at most one open attempt per request, a further attempt cites
what allows it, doubts are sent again only under `resend` and within the bound, and reserved + spent + in doubt stays
within the budget at every single entry.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from .books import Entry, History

Permission = Literal["first", "free", "resend", "decision", "missing", ""]
"""What allows an attempt. first, free: no attempt so far was billed; resend: a doubt that may be sent again; decision;
missing: a file is gone. Empty: nothing does."""
End = Literal["open", "no", "maybe", "saved", "forgiven"]
SLACK_USD = 1e-6


@dataclass(slots=True)
class Dossier:
    """What the ledger says of one request. `path` and `sha256` are where its image is now, and as what."""

    permissions: dict[int, Permission] = field(default_factory=dict)
    ends: dict[int, End] = field(default_factory=dict)
    windows: dict[int, str] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    reserved: dict[int, float] = field(default_factory=dict)
    images: dict[int, Entry] = field(default_factory=dict)
    open: int | None = None
    last_seq: int | None = None
    doubts: int = 0
    is_held: bool = False
    is_decided: bool = False
    is_given_up: bool = False
    is_refused: bool = False
    is_located: bool = False
    is_spoilt: bool = False
    saved: Entry | None = None
    provider: str = ""
    path: str = ""
    sha256: str = ""

    @property
    def is_aside(self) -> bool:
        """Whether its image was put away."""
        return self.path.startswith("images/.")


class Audit:
    """Folds a history's entries. `findings` are (class, text)."""

    def __init__(self, history: History) -> None:
        self.dossiers: defaultdict[str, Dossier] = defaultdict(Dossier)
        self.findings: list[tuple[str, str]] = [("broken", problem) for problem in history.problems]
        self._history = history
        self._redos: set[int] = set()
        self._run = ""
        self._saved_count, self._spent_usd = 0, 0.0
        self.committed: defaultdict[str, float] = defaultdict(float)
        for entry in history.entries:
            self._take(entry)
        self.findings += self._undrained()

    def _take(self, entry: Entry) -> None:
        """One entry, by its kind; what concerns an attempt comes with the request's dossier."""
        kind = entry["kind"]
        if kind in {"attempt_started", "attempt_failed", "image_located", "image_saved"}:
            getattr(self, f"_{kind}")(entry, self.dossiers[entry["request"]])
        elif kind in {"run_started", "run_finished", "decision", "image_moved"}:
            getattr(self, f"_{kind}")(entry)

    def _run_started(self, entry: Entry) -> None:
        self._run, self._saved_count, self._spent_usd = entry["run"], 0, 0.0

    def _image_located(self, _entry: Entry, record: Dossier) -> None:
        record.is_located = True

    def _say(self, kind: str, entry: Entry, text: str) -> None:
        what = f"{entry['request'][:8]}-{entry['attempt']}" if "attempt" in entry else entry.get("request", "")[:8]
        self.findings.append((kind, f"seq {entry['seq']} {what}: {text}"))

    def _attempt_started(self, entry: Entry, record: Dossier) -> None:
        number = entry["attempt"]
        if record.open is not None:
            self._say("broken", entry, f"attempt {record.open} is still open")
        if number != len(record.ends) + 1:
            self._say("broken", entry, f"numbered {number} after {len(record.ends)} attempts")
        if entry.get("key") != entry["request"]:
            self._say("broken", entry, "has a key that is not the request's id")
        is_redo = number == 1 and entry["because"] in self._redos
        if entry["because"] != record.last_seq and not is_redo:
            self._say("uncited", entry, f"cites {entry['because']}, allowed by {record.last_seq}")
        record.permissions[number] = self._permission(entry, record)
        if not record.permissions[number]:
            self._say(
                "unconsented", entry, f"{record.doubts} doubts under {self._history.terms.in_doubt}, nothing allows it"
            )
        record.ends[number], record.open, record.is_located = "open", number, False
        record.provider = entry.get("provider", "")
        record.windows[number], record.runs[number] = entry.get("window", "job"), self._run
        self._reserve(entry, record)
        flying = sum(one.open is not None and not one.is_located for one in self.dossiers.values())
        if flying > self._history.terms.concurrency:
            self._say("broken", entry, f"{flying} in flight (at most {self._history.terms.concurrency})")

    def _permission(self, entry: Entry, record: Dossier) -> Permission:
        terms = self._history.terms
        if record.is_held or record.is_given_up or record.is_refused:
            return ""
        if record.doubts and entry.get("provider", "") != record.provider:
            return ""
        if record.doubts:
            return "resend" if terms.in_doubt == "resend" and record.doubts <= terms.resends else ""
        if record.saved is not None:
            gone = self._history.taken.get(entry["request"], ())
            is_gone = record.is_spoilt or any(record.saved["seq"] <= seq < entry["seq"] for seq in gone)
            return "missing" if is_gone else ""
        if record.is_decided:
            return "decision"
        return "free" if record.ends else "first"

    def _reserve(self, entry: Entry, record: Dossier) -> None:
        window, budget = entry.get("window", "job"), self._history.terms.budget_usd
        reserved = entry.get("reserved_usd")
        if reserved is None:
            self._say("over", entry, "reserves nothing")
        record.reserved[entry["attempt"]] = reserved or 0.0
        self.committed[window] += reserved or 0.0
        if budget is not None and self.committed[window] > budget + SLACK_USD:
            self._say("over", entry, f"${self.committed[window]:.6f} committed of ${budget:.6f}")

    def _closed(self, entry: Entry, record: Dossier, end: End) -> None:
        number = entry["attempt"]
        if record.open != number:
            self._say("broken", entry, f"ends an attempt that is not open ({record.open} is)")
        record.ends[number], record.open = end, None
        record.last_seq = entry["seq"]

    def _attempt_failed(self, entry: Entry, record: Dossier) -> None:
        # What is left out is the default: an attempt that nobody knows anything of.
        is_doubt = entry.get("billed", "maybe") == "maybe"
        self._closed(entry, record, "maybe" if is_doubt else "no")
        record.doubts += is_doubt
        # A picture that waited at an address was paid for: not to get it is no reason to buy another one.
        record.is_refused = entry.get("failure") == "refused"
        record.is_held = record.is_held or record.is_located or entry.get("hold", False)
        if not is_doubt:
            self._release(record, entry["attempt"])

    def _release(self, record: Dossier, number: int) -> None:
        self.committed[record.windows.get(number, "job")] -= record.reserved.get(number, 0.0)

    def _image_saved(self, entry: Entry, record: Dossier) -> None:
        number = entry["attempt"]
        self._closed(entry, record, "saved")
        self._release(record, number)
        cost = entry.get("cost_usd", record.reserved.get(number, 0.0))
        self.committed[record.windows.get(number, "job")] += cost
        self._saved_count, self._spent_usd = self._saved_count + 1, self._spent_usd + cost
        record.saved = record.images[number] = entry
        record.path, record.sha256 = entry["path"], entry["sha256"]
        record.doubts, record.is_held, record.is_decided, record.is_spoilt = 0, False, False, False

    def _run_finished(self, entry: Entry) -> None:
        """What a run says in the end is what it did: images, dollars, and dollars that nobody knows of."""
        ours = (
            (record, number)
            for record in self.dossiers.values()
            for number, run in record.runs.items()
            if run == entry["run"] and record.ends[number] in {"open", "maybe"}
        )
        maybe_usd = sum(record.reserved[number] for record, number in ours)
        said = entry["counts"].get("saved"), entry.get("spent_usd"), entry.get("in_doubt_usd")
        done = self._saved_count, self._spent_usd, maybe_usd
        if any(one is None or abs(one - other) > SLACK_USD for one, other in zip(said, done, strict=True)):
            self._say("unpriced", entry, f"says {said}, did {done} (saved, spent, maybe billed)")

    def _image_moved(self, entry: Entry) -> None:
        record = self.dossiers.get(entry["request"])
        if record is None or record.saved is None:
            return
        record.path, record.sha256 = entry["to"], entry["sha256"]
        # What somebody painted over and then put away by another wish is kept, and is not what was paid for.
        is_touched = entry["request"] in {*self._history.retouched, *self._history.taken}
        is_put_away = entry["to"].startswith("images/.superseded/")
        record.is_spoilt = is_touched and is_put_away and entry["sha256"] != record.saved["sha256"]

    def _decision(self, entry: Entry) -> None:
        for request in entry.get("requests", ()):
            if (entry["what"], request) not in self._history.consents:
                self._say("unconsented", {**entry, "request": request}, f"nobody decided {entry['what']}")
            if entry["what"] == "redo":
                self._redos.add(entry["seq"])
                continue
            record = self.dossiers[request]
            if entry["what"] == "not_billed":
                for number in [number for number, end in record.ends.items() if end == "maybe"]:
                    record.ends[number] = "forgiven"
                    self._release(record, number)
            record.last_seq = entry["seq"]
            record.doubts, record.is_held, record.is_decided = 0, False, True
            record.is_given_up, record.is_refused = entry["what"] == "give_up", False

    def _undrained(self) -> Iterator[tuple[str, str]]:
        """Attempts of a run that could drain in peace, and that nobody knows the end of all the same."""
        for request, record in self.dossiers.items():
            for number, run in record.runs.items():
                if run in self._history.drained and record.ends[number] in {"open", "maybe"}:
                    yield "undrained", f"{request[:8]}-{number}: left in doubt by a SIGTERM with enough grace"
