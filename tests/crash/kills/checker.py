"""The join: bill log x ledger x files. Nothing here asks batchgen; what it claims is checked like everything else.

lost         billed, and the ledger has no such attempt or calls it not billed
double       a further bill that no resend of a doubt, no decision and no missing file covers
unexpected   a finished image, or a file under a final name, without a bill or a record
wrong        called done, or recorded, and the bytes are not those that were paid for
over         more billed, committed or charged than the budget or the reservation allows
early        a byte on the wire before its attempt was written down
unconsented  an attempt, or a decision, that nothing and nobody allowed
uncited      a further attempt that does not say what allows it
unpriced     a run that does not say, in the end, what it spent and what may have been billed
undrained    a doubt after a SIGTERM with all the time in the world
broken       the ledger's own rules: chain, numbering, two open attempts, more in flight than allowed; leftovers
stuck        the last run's exit code does not fit what it left, or it left work that nothing hinders
died         a run hung, broke off with a bug, or refused what an earlier one had left (said by the batch, not here)
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .audit import SLACK_USD, Audit, Dossier
from .books import Bill, History

CLASSES = (
    "lost", "double", "unexpected", "wrong", "over", "early", "unconsented", "uncited", "unpriced", "undrained",
    "broken", "stuck", "died",
)  # fmt: skip
Findings = Iterator[tuple[str, str]]


@dataclass(slots=True)
class Report:
    """`found` are the violations as (class, text): none is allowed. `counts` is what happened."""

    found: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def classes(self) -> set[str]:
        """The classes of what was found."""
        return {kind for kind, _ in self.found}


def check(history: History) -> Report:
    """Judge a history."""
    audit = Audit(history)
    known = dict(audit.dossiers)
    by_request: defaultdict[str, list[Bill]] = defaultdict(list)
    for bill in history.bills:
        by_request[bill.attempt.rpartition("-")[0]].append(bill)
    for bills in by_request.values():
        # A gateway may bill long after the client died: what counts is the order in which it was asked.
        bills.sort(key=_number)
    report = Report(found=list(audit.findings))
    for request, bills in by_request.items():
        report.found += _bills(request, bills, known.get(request))
    for request, record in known.items():
        report.found += _images(request, record, by_request[request], history)
    report.found += _budget(history, known)
    if history.exit_code is not None:
        report.found += _files(history, known)
        report.found += _claims(history, known)
        report.found += _ending(history, known)
        report.found += _stopped_early(history, audit)
    report.counts = _counts(history, known, by_request)
    return report


def _number(bill: Bill) -> int:
    return int(bill.attempt.rpartition("-")[2])


def _bills(request: str, bills: list[Bill], record: Dossier | None) -> Findings:
    covered: set[str] = set()
    for bill in bills:
        if record is None or _number(bill) not in record.ends:
            yield "lost", f"{bill.attempt}: billed, and the ledger knows of no such attempt"
            continue
        yield from _bill(request, bill, record)
        if bill.attempt in covered:
            yield "double", f"{bill.attempt}: one attempt, billed twice"
        elif covered and record.permissions[_number(bill)] not in {"resend", "decision", "missing"}:
            yield "double", f"{bill.attempt}: bought again, {record.permissions[_number(bill)] or 'nothing'} allows it"
        covered.add(bill.attempt)


def _bill(request: str, bill: Bill, record: Dossier) -> Findings:
    """One bill against the attempt that it is for."""
    number = _number(bill)
    if record.ends[number] == "no":
        yield "lost", f"{bill.attempt}: billed, and the ledger calls it not billed"
    if not bill.recorded:
        yield "early", f"{bill.attempt}: on the wire before it was in the ledger"
    if bill.key != request:
        yield "broken", f"{bill.attempt}: sent with the key {bill.key}"
    if bill.price_usd > record.reserved[number] + SLACK_USD:
        yield "over", f"{bill.attempt}: ${bill.price_usd} billed, ${record.reserved[number]} reserved"


def _images(request: str, record: Dossier, bills: list[Bill], history: History) -> Findings:
    """Every recorded image was billed for, is what was billed for, and costs no less than the bill."""
    for number, saved in record.images.items():
        paid = [bill for bill in bills if bill.attempt == f"{request}-{number}"]
        if not paid and history.terms.keys == "replay":
            paid = [bill for bill in bills if _number(bill) < number]
        if not paid:
            yield "unexpected", f"{request[:8]}-{number}: an image that nobody was billed for"
        elif saved["sha256"] not in {bill.image for bill in paid}:
            yield "wrong", f"{request[:8]}-{number}: recorded bytes are not those that were made for it"
        elif saved.get("cost_usd", record.reserved[number]) < paid[-1].price_usd - SLACK_USD:
            yield "over", f"{request[:8]}-{number}: less is recorded than ${paid[-1].price_usd}, which was billed"


def _files(history: History, known: dict[str, Dossier]) -> Findings:
    """Every file has a record and every record its file, wherever either is."""
    at = {record.path: request for request, record in known.items() if record.saved is not None}
    flying = {f".{request}-{record.open}.part" for request, record in known.items() if record.open is not None}
    for path in history.files:
        name = path.rpartition("/")[2]
        if name.endswith(".part"):
            if name not in flying:
                yield "broken", f"{path}: a temp file whose attempt is over"
        elif "/." not in path and path not in at:
            yield "unexpected", f"{path}: a file under a final name without a record"
    for path, request in at.items():
        record, is_taken = known[request], _is_taken(history, request, known[request])
        found = history.files.get(path)
        wanted = {record.sha256} | ({history.retouched[request]} if request in history.retouched else set())
        if found not in wanted and not is_taken:
            yield "wrong", f"{path}: recorded for {request[:8]}, and " + ("gone" if found is None else "other bytes")


def _is_taken(history: History, request: str, record: Dossier) -> bool:
    saved = record.saved
    return saved is not None and any(seq >= saved["seq"] for seq in history.taken.get(request, ()))


def _claims(history: History, known: dict[str, Dossier]) -> Findings:
    for claim in history.claims:
        record = known.get(claim.id)
        found = history.files.get(claim.path)
        if claim.state == "done":
            saved = record.saved if record is not None else None
            if saved is None or found != saved["sha256"]:
                yield "wrong", f"{claim.slot}: called done, and {claim.path} does not hold what was paid for"
        elif claim.state == "altered" and found != history.retouched.get(claim.id):
            yield "wrong", f"{claim.slot}: called altered, and nobody retouched it"


def _budget(history: History, known: dict[str, Dossier]) -> Findings:
    if history.terms.budget_usd is None:
        return
    billed: defaultdict[str, float] = defaultdict(float)
    for bill in history.bills:
        number, record = _number(bill), known.get(bill.attempt.rpartition("-")[0])
        if record is not None and record.ends.get(number) != "forgiven":
            billed[record.windows.get(number, "job")] += bill.price_usd
    for window, usd in billed.items():
        if usd > history.terms.budget_usd + SLACK_USD:
            yield "over", f"{window}: ${usd:.6f} billed of ${history.terms.budget_usd:.6f}"


def _ending(history: History, known: dict[str, Dossier]) -> Findings:
    """Does the last run's exit code fit what is left?"""
    states = Counter(claim.state for claim in history.claims)
    unfinished = sum(states.values()) - states["done"] - states["altered"]
    wanted = [claim for claim in history.claims if claim.would_send]
    left = [claim for claim in wanted if not _may_wait(known.get(claim.id))]
    if history.exit_code == 0 and unfinished:
        yield "stuck", f"exit 0 with {dict(states)}"
    elif history.exit_code == 3 and not unfinished:
        yield "stuck", "exit 3, and every image is there"
    elif history.exit_code == 5 and history.terms.budget_usd is None:
        yield "stuck", "exit 5 without a limit"
    elif history.exit_code not in {0, 3, 5}:
        yield "stuck", f"exit {history.exit_code}"
    # What is in doubt at a gateway that has closed its door waits for that door.
    if history.exit_code in {0, 3} and left and not history.terms.has_failover:
        yield "stuck", f"exit {history.exit_code}, and {left[0].slot} ({left[0].state}) could be sent"
    for request, record in known.items():
        if record.open is not None and not record.is_located:
            yield "stuck", f"{request[:8]}-{record.open}: open after the end"


def _may_wait(record: Dossier | None) -> bool:
    """Whether a run may leave a request to the next one: it failed, or its paid picture could not be fetched yet."""
    if record is None or not record.ends:
        return False
    return record.ends[max(record.ends)] == "no" or (record.open is not None and record.is_located)


def _stopped_early(history: History, audit: Audit) -> Findings:
    """A budget is used up only when the next request would not have fitted."""
    budget = history.terms.budget_usd
    run = next((entry for entry in reversed(history.entries) if entry["kind"] == "run_started"), None)
    prices = [usd for record in audit.dossiers.values() for usd in record.reserved.values()]
    if history.exit_code != 5 or budget is None or run is None or not prices:
        return
    window = run["run"] if run.get("budget_per") == "run" else "job"
    if audit.committed[window] + max(prices) <= budget - SLACK_USD:
        yield "stuck", f"stopped for a budget of ${budget} with ${audit.committed[window]:.6f} committed"


def _counts(history: History, known: dict[str, Dossier], by_request: dict[str, list[Bill]]) -> Counter[str]:
    counts = Counter(
        bills=len(history.bills),
        done=sum(claim.state == "done" for claim in history.claims),
        held=sum(claim.state == "in_doubt" for claim in history.claims),
    )
    for request, record in known.items():
        billed = {_number(bill) for bill in by_request[request]}
        counts["attempts"] += len(record.ends)
        counts["resends"] += sum(permission == "resend" for permission in record.permissions.values())
        for number, end in record.ends.items():
            if end in {"maybe", "open"}:
                counts["recovered" if number in billed else "phantom"] += 1
    return counts
