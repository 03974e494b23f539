"""A sink that remembers, and holds callers to the order begin, write..., end."""

from dataclasses import dataclass, field


@dataclass
class Picture:
    kind: str
    index: int
    data: bytearray = field(default_factory=bytearray)
    whole: bool | None = None


class MemorySink:
    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.drains = 0

    def begin(self, kind: str, index: int) -> None:
        assert not self.pictures or self.pictures[-1].whole is not None, "begin before end"
        self.pictures.append(Picture(kind, index))

    def write(self, data: bytes | memoryview) -> None:
        assert self.pictures[-1].whole is None, "write after end"
        self.pictures[-1].data += data

    def end(self, *, whole: bool) -> None:
        assert self.pictures[-1].whole is None, "end twice"
        self.pictures[-1].whole = whole

    async def drain(self) -> None:
        self.drains += 1

    def whole(self, kind: str = "image") -> list[bytes]:
        """The bytes of the whole pictures of one kind."""
        return [bytes(picture.data) for picture in self.pictures if picture.kind == kind and picture.whole]
