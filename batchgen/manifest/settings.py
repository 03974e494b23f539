"""The blocks that say how a job runs and what becomes of its images, apart from what is asked of the API."""

from typing import Annotated, Literal

from pydantic import Field

from batchgen.manifest.block import Block
from batchgen.manifest.fields import DURATION, SPELLED, Limit, Name, Text, Url

__all__ = [
    "ContactSheetBlock",
    "LimitsBlock",
    "NotifyBlock",
    "OutputBlock",
    "PostBlock",
    "RetryBlock",
    "ReviewBlock",
]


class LimitsBlock(Block):
    """What one run may use. These limits are your consent for runs that nobody watches."""

    concurrency: Annotated[int, Field(ge=1, le=10_000), SPELLED] = 8
    """Requests in flight at once, 1 to 10000."""
    rpm: Annotated[float, Field(gt=0), SPELLED] | None = None
    """Images per minute at most."""
    request_timeout: Annotated[float, Field(gt=0), DURATION] = 600.0
    """How long one request may take: seconds, or such as `10m`."""
    drain: Annotated[float, Field(ge=0), DURATION] | None = None
    """How long a stopped run waits for images in flight; as long as `request_timeout` unless given."""
    stop_after: Annotated[float, Field(gt=0), DURATION] | None = None
    """Start nothing new after this time, such as `3h`; images in flight still arrive."""
    max_images: Annotated[int, Field(ge=1), SPELLED] | None = None
    """The most images that one run may send."""
    max_failures: Limit = "20%"
    """Stop when more than this many failed for good: a count, or a share such as `20%`; from ten results on."""
    budget_usd: Annotated[float, Field(gt=0), SPELLED] | None = None
    """The most that may be spent, in US dollars."""
    budget_per: Literal["run", "day", "month", "job"] = "job"
    """What the budget covers; days and months are UTC."""


class RetryBlock(Block):
    """How often and how soon a failed request is tried again."""

    attempts: Annotated[int, Field(ge=1), SPELLED] = 6
    """Tries per request within one run."""
    waits: Annotated[list[Annotated[float, Field(ge=0), DURATION]], Field(min_length=1)] = Field(
        default_factory=lambda: [3.0, 8.0, 15.0]
    )
    """Waits between tries; after the last one they double."""
    max_wait: Annotated[float, Field(gt=0), DURATION] = 60.0
    """The longest wait between tries."""
    give_up_after: Annotated[float, Field(gt=0), DURATION] = 1200.0
    """How long a provider may be down before the run stops."""
    in_doubt: Literal["resend", "hold"] = "resend"
    """What to do with a request that may have been billed although no answer came."""
    resends: Annotated[int, Field(ge=0), SPELLED] = 2
    """How often one request in doubt is sent again before it is held."""


class OutputBlock(Block):
    """Where images go and what exports carry."""

    dir: Text | None = None
    """Folder that holds the job folder, relative to the manifest."""
    path: Text | None = None
    """File name template, relative to `images/` in the job folder."""
    metadata: Literal["none", "minimal", "full"] = "minimal"
    """What exports carry inside: nothing, the id, or prompt and parameters too."""


class PostBlock(Block):
    """One derived file per image, in `exports/`. The paid image stays as it came."""

    id: Name
    """Names the kind of file, such as `web`."""
    format: Literal["png", "jpeg", "webp", "avif"]
    """File format of the export."""
    quality: Annotated[int, Field(ge=1, le=100), SPELLED] | None = None
    """Encoder quality, 1 to 100."""
    width: Annotated[int, Field(ge=1), SPELLED] | None = None
    """Width in pixels."""
    height: Annotated[int, Field(ge=1), SPELLED] | None = None
    """Height in pixels."""
    fit: Literal["inside", "cover", "contain", "pad"] = "inside"
    """How the image meets width and height."""
    focus: Text | None = None
    """Which part a crop keeps."""
    max_kb: Annotated[int, Field(ge=1), SPELLED] | None = None
    """Largest file in kilobytes; quality is lowered to meet it."""
    path: Text | None = None
    """File name template, relative to `exports/`."""


class ContactSheetBlock(Block):
    """A contact sheet's pages, rows and columns, named after axes."""

    per: Text | None = None
    """One sheet for each value of this axis."""
    rows: Text | None = None
    """The axis that goes down."""
    columns: Text | None = None
    """The axis that goes across."""


class ReviewBlock(Block):
    """How the images are shown."""

    gallery: Annotated[bool, SPELLED] = True
    """Build the gallery after a run."""
    group_by: list[Text] = Field(default_factory=list)
    """Axes by which the gallery is grouped."""
    contact_sheet: ContactSheetBlock | None = None
    """Contact sheets, for print or a quick look."""


class NotifyBlock(Block):
    """Who hears of a finished run."""

    healthcheck: Url | None = None
    """URL that is called at the start and at the end of a run."""
    webhook: Url | None = None
    """URL that receives the summary as JSON."""
    on: Literal["always", "failure", "change"] = "failure"
    """When the webhook is called."""
