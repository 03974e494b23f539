"""What a manifest may say: the models that validate it and that the published JSON Schema is made from.

Field docstrings become the hover help of editors. Every model refuses unknown keys and is frozen. What no single field
can see is in `batchgen.manifest.rules`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from batchgen.manifest.block import Block, exactly_one, one_of
from batchgen.manifest.fields import (
    AXIS_NAMES,
    LABEL,
    PLAIN,
    SPELLED,
    TEMPLATE,
    AxisName,
    AxisValue,
    EnvName,
    Name,
    Text,
    VarName,
    template_or_plain,
)
from batchgen.manifest.settings import (
    ContactSheetBlock,
    LimitsBlock,
    NotifyBlock,
    OutputBlock,
    PostBlock,
    RetryBlock,
    ReviewBlock,
)

__all__ = [
    "ROW_SOURCES",
    "Block",
    "ContactSheetBlock",
    "Document",
    "ExtendRule",
    "LimitsBlock",
    "MatrixBlock",
    "NotifyBlock",
    "OutputBlock",
    "PostBlock",
    "PromptBlock",
    "ProviderUse",
    "RequestBlock",
    "RetryBlock",
    "ReviewBlock",
    "RowsBlock",
    "Templated",
]

ROW_SOURCES = ("csv", "jsonl", "text", "images", "inline")
"""The keys of `rows` that say where rows come from; exactly one is given."""

Templated = Annotated[str, Field(pattern=r"\$\{\{"), TEMPLATE]
"""A value that a `${{ }}` expression will give; checked again after rendering."""


class ProviderUse(BaseModel):
    """`{ use: NAME, ...overrides }`: a provider with some of its fields changed for this job."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True, strict=True)

    use: Text
    """Name of a shipped provider, or of one in your providers.yaml. The other keys override its fields."""


class RequestBlock(Block):
    """Parameters of the API call. Each is checked against the provider's data; only `extra` goes out unchecked.

    `null` takes a parameter away that the job sets for all prompts.
    """

    takes_null = True

    model: Text | None = None
    """Model name, such as `gpt-image-2`."""
    size: Text | None = None
    """Size in pixels such as `1024x1024`, or a name that the provider knows such as `auto`. May be a template."""
    quality: Text | None = None
    """How much work the model puts in: `low`, `medium`, `high` or `auto` with most models. Drives the price."""
    background: Text | None = None
    """`transparent`, `opaque` or `auto`. Transparency needs png or webp."""
    output_format: Text | None = None
    """`png`, `jpeg` or `webp`."""
    output_compression: (
        Annotated[Annotated[int, Field(ge=0, le=100), SPELLED, PLAIN] | Templated, Discriminator(template_or_plain)]
        | None
    ) = None
    """Compression of jpeg and webp, 0 to 100 per cent."""
    moderation: Text | None = None
    """How strictly the provider filters: `auto` or `low`."""
    stream: Annotated[Annotated[bool, SPELLED, PLAIN] | Templated, Discriminator(template_or_plain)] | None = None
    """Receive the image as a stream of events."""
    partial_images: (
        Annotated[Annotated[int, Field(ge=0, le=3), SPELLED, PLAIN] | Templated, Discriminator(template_or_plain)]
        | None
    ) = None
    """How many previews to receive while an image is made, 0 to 3. Needs `stream: true`."""
    user: Text | None = None
    """A name for your end user that the provider may log. Not part of an image's identity."""
    style: Text | None = None
    """Style name, with models that have styles."""
    watermark: Annotated[Annotated[bool, SPELLED, PLAIN] | Templated, Discriminator(template_or_plain)] | None = None
    """Whether the gateway stamps the image, where it can."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further parameters, sent exactly as written and not checked."""


class RowsBlock(Block):
    """Data rows: each prompt is made once per row. Exactly one of csv, jsonl, text, images, inline."""

    model_config = ConfigDict(json_schema_extra=one_of(ROW_SOURCES))

    csv: Text | None = None
    """CSV file with a header line, relative to the manifest. Semicolons separate if the header has no comma."""
    jsonl: Text | None = None
    """File with one JSON object, or one prompt in double quotes, per line."""
    text: Text | None = None
    """Text file with one value per line; lines that start with `#` are comments."""
    images: Text | None = None
    """Image files by a pattern such as `../refs/*.png`."""
    inline: Annotated[list[dict[str, Any]], Field(min_length=1)] | None = None
    """The rows themselves, as a list of mappings."""
    key: Text | None = None
    """The column that names a row in slots and files. Unique and never empty."""
    where: Text | None = None
    """Expression over the columns; only rows for which it is true are used."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self, ROW_SOURCES)
        return self


class ExtendRule(Block):
    """Attaches `vars` to the combinations that match `when`."""

    when: Annotated[dict[str, Any], Field(min_length=1)]
    """Axis names and the values (or ids) to match."""
    vars: dict[VarName, Any]
    """Variables for the matching combinations."""


class MatrixBlock(BaseModel):
    """Axes (any name, a list of scalars or of objects with `id`) and the rules exclude, add, extend."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        use_attribute_docstrings=True,
        strict=True,
        json_schema_extra={"propertyNames": AXIS_NAMES},
    )
    __pydantic_extra__: dict[AxisName, Annotated[list[AxisValue], Field(min_length=1)]]

    exclude: list[Annotated[dict[str, Any], Field(min_length=1)]] = Field(default_factory=list)
    """Combinations to leave out: axis names and the values (or ids) to match."""
    add: list[Annotated[dict[str, Any], Field(min_length=1)]] = Field(default_factory=list)
    """Whole combinations to append after `exclude`."""
    extend: list[ExtendRule] = Field(default_factory=list)
    """Variables for the combinations that match."""

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The axes in the order written."""
        return dict(self.__pydantic_extra__ or {})


def _block_or_false(value: Any) -> str:
    return f"{LABEL}off" if isinstance(value, bool) else f"{LABEL}block"


_OFF = Annotated[Literal[False], Tag(f"{LABEL}off")]
_BLOCK = Tag(f"{LABEL}block")


class PromptBlock(Block):
    """One prompt with what is special to it."""

    model_config = ConfigDict(json_schema_extra=one_of(("text", "file")))

    id: Text | None = None
    """The first part of the slot. Without it, one is made from the text."""
    text: Text | None = None
    """The prompt. `${{ }}` expressions see vars, axes, `row`, `prompt`, `take` and `job`."""
    file: Text | None = None
    """A text file that holds the prompt, relative to the manifest."""
    rows: Annotated[Annotated[RowsBlock, _BLOCK] | _OFF, Discriminator(_block_or_false)] | None = None
    """Rows of this prompt in place of the job's; `false` for none."""
    matrix: Annotated[Annotated[MatrixBlock, _BLOCK] | _OFF, Discriminator(_block_or_false)] | None = None
    """Matrix of this prompt in place of the job's; `false` for none."""
    images: list[Text] = Field(default_factory=list)
    """Reference images, relative to the manifest. Their presence makes the request an edit."""
    mask: Text | None = None
    """PNG whose transparent area is repainted; as large as the first image."""
    vars: dict[VarName, Any] = Field(default_factory=dict)
    """Variables of this prompt; they hide those of the job."""
    repeat: Annotated[int, Field(ge=1, le=100), SPELLED] | None = None
    """How many takes of this prompt, 1 to 100."""
    request: RequestBlock = RequestBlock()
    """Parameters of this prompt; they hide those of the job."""
    only_if: Text | None = None
    """Expression over everything that a template sees; false leaves the image out."""
    path: Text | None = None
    """File name template of this prompt, relative to `images/`."""

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        exactly_one(self, ("text", "file"))
        return self


def _prompt_kind(value: Any) -> str:
    return f"{LABEL}block" if isinstance(value, dict | PromptBlock) else f"{LABEL}text"


def _provider_kind(value: Any) -> str:
    if isinstance(value, list):
        return f"{LABEL}list"
    return f"{LABEL}use" if isinstance(value, dict | ProviderUse) else f"{LABEL}name"


_Provider = Annotated[
    Annotated[Text, Tag(f"{LABEL}name")] | Annotated[ProviderUse, Tag(f"{LABEL}use")], Discriminator(_provider_kind)
]


def _no_look_alike(value: Any) -> Any:
    """To Python `true` and `1.0` equal 1; to a reader they are mistakes."""
    return str(value) if isinstance(value, bool | float) else value


class Document(Block):
    """A whole manifest, after its profile has been merged in."""

    version: Annotated[Literal[1], BeforeValidator(_no_look_alike)]
    """Version of the manifest language: 1."""
    name: Name
    """Name of the job and of its folder: letters, digits, dots, dashes, underscores."""
    description: str = ""
    """What this job is for."""
    provider: Annotated[
        Annotated[Text, Tag(f"{LABEL}name")]
        | Annotated[ProviderUse, Tag(f"{LABEL}use")]
        | Annotated[list[_Provider], Field(min_length=1), Tag(f"{LABEL}list")],
        Discriminator(_provider_kind),
    ] = "sandbox"
    """Who makes the images: a name, `{ use: NAME, ...overrides }`, or a list in order of preference."""
    env: list[EnvName] = Field(default_factory=list)
    """Environment variables that this file may read as `${NAME}`."""
    vars: dict[VarName, Any] = Field(default_factory=dict)
    """Values for templates."""
    request: RequestBlock = RequestBlock()
    """Parameters of every API call."""
    rows: RowsBlock | None = None
    """Data rows; each prompt is made for each row."""
    matrix: MatrixBlock | None = None
    """Axes whose product multiplies the prompts."""
    prompts: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag(f"{LABEL}text")] | Annotated[PromptBlock, Tag(f"{LABEL}block")],
                Discriminator(_prompt_kind),
            ]
        ],
        Field(min_length=1),
    ]
    """The prompts: plain text, or blocks with `text`."""
    repeat: Annotated[int, Field(ge=1, le=100), SPELLED] = 1
    """How many takes of each image, 1 to 100."""
    period: Literal["daily", "weekly", "monthly"] | None = None
    """Makes everything anew each day, week or month."""
    limits: LimitsBlock = LimitsBlock()
    """What one run may use."""
    retry: RetryBlock = RetryBlock()
    """How failed requests are tried again."""
    output: OutputBlock = OutputBlock()
    """Where images go."""
    post: list[PostBlock] = Field(default_factory=list)
    """Derived files."""
    review: ReviewBlock = ReviewBlock()
    """How the images are shown: gallery and contact sheets."""
    notify: NotifyBlock = NotifyBlock()
    """Whom a finished run tells, and when."""
    profiles: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Named overrides, chosen by `--profile NAME`. Mappings merge, lists replace, `null` resets to the default."""
