"""What a plan asks of the ledger: shapes that its records have, so that neither package imports the other."""

from typing import Protocol

__all__ = ["Known", "KnownImage"]


class KnownImage(Protocol):
    """What is asked of a saved image's record."""

    @property
    def path(self) -> str:
        """Where the file belongs, relative to the job folder."""
        ...

    @property
    def is_aside(self) -> bool:
        """Whether it was put away and is nobody's current image."""
        ...


class Known(Protocol):
    """What is asked of the ledger's record of one request."""

    @property
    def slot(self) -> str:
        """The slot it was last known under."""
        ...

    @property
    def saved(self) -> KnownImage | None:
        """Its image, when it has one."""
        ...

    @property
    def is_in_doubt(self) -> bool:
        """Sent, and nobody knows whether it was billed."""
        ...

    @property
    def is_fetchable(self) -> bool:
        """A paid image waits at a known address."""
        ...

    @property
    def is_held(self) -> bool:
        """Never sent again without a decision."""
        ...

    @property
    def is_refused(self) -> bool:
        """The provider refused this very request."""
        ...

    @property
    def is_given_up(self) -> bool:
        """A person decided to leave it."""
        ...

    @property
    def doubts(self) -> int:
        """Maybe-billed attempts since the last decision or image."""
        ...

    @property
    def failure(self) -> str | None:
        """Kind of the last failure."""
        ...

    @property
    def message(self) -> str:
        """What the provider said last."""
        ...
