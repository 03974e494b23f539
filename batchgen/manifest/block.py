"""What all blocks of a manifest share: no unknown keys, no changes later, and a value for every key that is written."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

__all__ = ["Block", "exactly_one", "one_of"]


class Block(BaseModel):
    """What all blocks share."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, strict=True)

    takes_null: ClassVar[bool] = False
    """Whether `null` says something in this block."""

    @field_validator("*", mode="before")
    @classmethod
    def _written_keys_have_values(cls, value: Any) -> Any:
        """A blank `budget_usd:` must not quietly mean "no budget"."""
        if value is None and not cls.takes_null:
            fault = "empty; give a value, or remove the key"
            raise PydanticCustomError("refused", "{message}", {"message": fault})  # noqa: EM101  pydantic's template
        return value


def exactly_one(block: Block, keys: tuple[str, ...]) -> None:
    """Raise a validation error unless exactly one of the keys was written."""
    given = [key for key in keys if key in block.model_fields_set]
    if len(given) == 1:
        return
    choice = f"(expected exactly one of {', '.join(keys)})"
    fault = (
        f"'{given[0]}' and '{given[1]}' are both given {choice}; keep one" if given else f"incomplete {choice}; add it"
    )
    raise PydanticCustomError("choice", "{message}", {"message": fault})  # noqa: EM101  pydantic's template


def one_of(keys: tuple[str, ...]) -> dict[str, Any]:
    """The same for the published schema."""
    return {"oneOf": [{"required": [key]} for key in keys]}
