"""How the number of images comes about, in a form that can be checked in the head."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Shape", "explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The factors of one prompt: rows (None without data), options per axis, and what the rules changed.

    `excluded` and `added` count combinations, `skipped` the requests that `only_if` left out; `requests` is what came
    of it all.
    """

    rows: int | None
    axes: tuple[int, ...]
    excluded: int
    added: int
    skipped: int
    takes: int
    requests: int

    @property
    def factors(self) -> str:
        """`20 rows x (4 x 3 - 1)`."""
        product = " x ".join(map(str, self.axes))
        changes = "".join(f" {sign} {n}" for sign, n in (("-", self.excluded), ("+", self.added)) if n)
        matrix = f"{product or 0}{changes}" if product or changes else ""
        rows = "" if self.rows is None else "1 row" if self.rows == 1 else f"{self.rows} rows"
        both = f"{rows} x ({matrix})" if changes and rows else " x ".join(part for part in (rows, matrix) if part)
        return both or "1"


def explanation(shapes: Sequence[Shape]) -> str:
    """`4 x 3 x 4 - 3, x 2 takes`; with several prompts of one kind `2 prompts x (4 x 3)`; kinds are joined by `+`."""
    kinds = Counter((shape.factors, shape.takes) for shape in shapes)
    skipped = sum(shape.skipped for shape in shapes)
    left_out = f" - {skipped} by only_if" if skipped else ""
    return " + ".join(_kind(factors, takes, prompts) for (factors, takes), prompts in kinds.items()) + left_out


def _kind(factors: str, takes: int, prompts: int) -> str:
    if prompts > 1:
        inner = f"({factors})" if "-" in factors or "+" in factors else factors
        factors = f"{prompts} prompts" if factors == "1" else f"{prompts} prompts x {inner}"
    elif factors == "1":
        factors = "1 prompt"
    return f"{factors}, x {takes} takes" if takes > 1 else factors
