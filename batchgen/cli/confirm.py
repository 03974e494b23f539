"""The question before a large run: asked only of a person at a terminal, and only when the manifest sets no limit."""

import sys

import click

from batchgen.cli.figures import amount, money
from batchgen.cli.options import RunOptions
from batchgen.errors import UsageError
from batchgen.run.survey import Survey

__all__ = ["ask_before", "needs_confirmation", "someone_is_there"]

_ASK_ABOVE_USD = 10.0
_ASK_ABOVE_IMAGES = 200


def someone_is_there() -> bool:
    """Whether a question would be seen and could be answered; a closed stdin (`<&-`) is None."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def needs_confirmation(survey: Survey) -> bool:
    """Whether the run is large, costs something, and nobody has said in the manifest how much it may.

    Placeholder pictures cost nothing; an unknown price may be any price.
    """
    limits = survey.job.manifest.document.limits
    has_limits = limits.budget_usd is not None or limits.max_images is not None
    price = None if survey.price is None else survey.price.high_usd
    if has_limits or price == 0:
        return False
    return len(survey.to_send) > _ASK_ABOVE_IMAGES or (price is not None and price > _ASK_ABOVE_USD)


def ask_before(survey: Survey, run: RunOptions) -> None:
    """Ask, if it has to be asked. Raises UsageError when the answer is no, click.Abort for Ctrl-C."""
    is_unattended = run.yes or run.json or run.cron or not someone_is_there()
    if is_unattended or not needs_confirmation(survey):
        return
    price = "an unknown price" if survey.price is None else f"up to {money(survey.price.high_usd)}"
    question = f"make {amount(len(survey.to_send), 'image')} for {price}? (limits in the manifest answer this for good)"
    if not click.confirm(question, err=True):
        message = "called off; nothing was sent"
        raise UsageError(message)
