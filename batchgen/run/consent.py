"""What must be settled before a run spends anything: limits, lost mounts, another machine, room on the disk."""

from collections.abc import Sequence

from batchgen.errors import DecisionNeededError, LimitError, PlanError
from batchgen.files import Folder
from batchgen.plan.compare import SlotStatus
from batchgen.run.host import Host
from batchgen.run.money import price_of
from batchgen.run.survey import Survey

__all__ = ["check_consent", "check_space"]

_MANY_MISSING = 20
_MISSING_SHARE = 0.1
_BYTES_PER_PIXEL = 2.2
_UNKNOWN_SIZE_BYTES = 4_000_000
_SPARE_BYTES = 16 << 20
_PROBE = "images/.probe"


def check_consent(survey: Survey, host: Host) -> None:
    """Raise when the limits, or common sense, forbid the run. Raises PlanError and DecisionNeededError."""
    limits, count = survey.job.limits, len(survey.to_send)
    place = survey.job.manifest.problem
    if limits.max_images is not None and count > limits.max_images:
        message = (
            f"'{limits.max_images}' is less than the {count} images that this run would send; "
            f"select fewer (--limit {limits.max_images}), or raise it"
        )
        raise PlanError(problems=[place(("limits", "max_images"), message)])
    unpriced = _unpriced(survey) if limits.budget_usd is not None else ""
    if unpriced:
        message = (
            f"there is a budget, but no price is known for what would be sent to {unpriced}; "
            "give one with `provider: { use: ..., prices: 0.05 }` (USD per image), or take the budget out"
        )
        raise PlanError(problems=[place(("limits", "budget_usd"), message)])
    if survey.job.options.accept_risk:
        return
    _check_missing(survey)
    _check_host(survey, host)


def _unpriced(survey: Survey) -> str:
    """The first provider, fallbacks included, at which something that would be sent has no known price."""
    for provider in survey.job.providers:
        if any(price_of(status.request, provider) is None for status in survey.to_send):
            return provider.name
    return ""


def check_space(folder: Folder, statuses: Sequence[SlotStatus]) -> None:
    """Raise LimitError when the expected bytes of what would be sent do not fit on the disk.

    Raises OSError when nothing can be written where images go: better now than with a paid answer in hand.
    """
    expected = sum(_expected_bytes(str(status.request.params.get("size") or "")) for status in statuses)
    free = folder.free_bytes()
    if expected + _SPARE_BYTES > free:
        msg = (
            f"{folder.path}: {free / 1e6:.0f} MB are free (about {expected / 1e6:.0f} MB are needed for "
            f"{len(statuses)} images); free space, choose another disk with --output, or send fewer with --limit"
        )
        raise LimitError(msg)
    folder.remove(_PROBE)
    folder.release(folder.create(_PROBE))
    folder.remove(_PROBE)


def _check_missing(survey: Survey) -> None:
    """Many finished files gone at once look like a missing mount or a wrong folder, not like a wish."""
    finished = [status for status in survey.standing.slots if status.state in {"done", "altered", "missing"}]
    missing = sum(status.state == "missing" for status in finished)
    asked_for = survey.job.options.selection.names_state("missing")
    if missing < max(_MANY_MISSING, _MISSING_SHARE * len(finished)) or asked_for:
        return
    msg = (
        f"{survey.job.folder}: {missing} of {len(finished)} finished images are gone at once; is a disk not mounted, "
        "or is this the wrong folder? To buy them again on purpose, run with `-s state:missing` or --yes"
    )
    raise DecisionNeededError(msg)


def _check_host(survey: Survey, host: Host) -> None:
    runs = survey.state.runs
    if not runs or not runs[-1].host or runs[-1].host == host.name or runs[-1].run in survey.state.finished:
        return
    msg = (
        f"{survey.job.folder}: the last run was on {runs[-1].host} and never finished; if it is surely over, "
        "run again with --yes"
    )
    raise DecisionNeededError(msg)


def _expected_bytes(size: str) -> float:
    width, _, height = size.partition("x")
    known = width.isdigit() and height.isdigit()
    return int(width) * int(height) * _BYTES_PER_PIXEL if known else _UNKNOWN_SIZE_BYTES
