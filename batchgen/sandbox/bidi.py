"""Right-to-left text without a shaping library: Arabic joining and visual order.

The pictures must have the same bytes on every machine, and Pillow's shaper depends on what is installed. So letters are
replaced by their presentation forms (Unicode 16, chapter 9.2, blocks Arabic Presentation Forms A and B), and lines are
put in visual order by a reduced Unicode Bidirectional Algorithm (UAX 9): no explicit embeddings, numbers kept as units.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

__all__ = ["is_rtl", "shape", "visual"]

_RTL = frozenset({"R", "AL"})
_LTR = frozenset({"L", "EN", "AN"})
_JOINERS = frozenset("\u0640\u200d")
_MIRROR = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
_LAM = "\u0644"


@lru_cache(maxsize=1)
def _forms() -> dict[tuple[str, str], str]:
    """(letters, form) to the presentation form, read from the characters' own decompositions."""
    forms: dict[tuple[str, str], str] = {}
    for code in (*range(0xFB50, 0xFC00), *range(0xFE80, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        forms["".join(chr(int(letter, 16)) for letter in letters), kind] = chr(code)
    return forms


def is_rtl(text: str) -> bool:
    """Whether the first strong character reads from right to left (UAX 9, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind == "L" or kind in _RTL:
            return kind in _RTL
    return False


def shape(text: str) -> str:
    """Arabic letters as the forms they take in their word, still in reading order; other text unchanged."""
    if text.isascii() or not any(unicodedata.bidirectional(character) == "AL" for character in text):
        return text
    letters = _ligatures(text)
    return "".join(_form(letters, place) for place in range(len(letters))).replace("\u200c", "").replace("\u200d", "")


def _ligatures(text: str) -> list[str]:
    """Characters, with lam and a following alef as one."""
    letters: list[str] = []
    for character in text:
        if letters and letters[-1] == _LAM and (_LAM + character, "<isolated>") in _forms():
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _form(letters: list[str], place: int) -> str:
    letter = letters[place]
    before = _joins_forward(_neighbour(letters, place, -1)) and _joins_back(letter)
    after = _joins_forward(letter) and _joins_back(_neighbour(letters, place, 1))
    kind = {(True, True): "<medial>", (True, False): "<final>", (False, True): "<initial>"}.get((before, after))
    return _forms().get((letter, kind or "<isolated>"), letter)


def _neighbour(letters: list[str], place: int, step: int) -> str:
    """The next letter in a direction; combining marks are transparent to joining."""
    place += step
    while 0 <= place < len(letters):
        if not unicodedata.combining(letters[place][0]):
            return letters[place]
        place += step
    return ""


def _joins_forward(letter: str) -> bool:
    return letter in _JOINERS or (letter, "<initial>") in _forms()


def _joins_back(letter: str) -> bool:
    return letter in _JOINERS or (letter, "<final>") in _forms()


def visual(line: str, *, rtl: bool) -> str:
    """A line in the order it is drawn from left to right; `rtl` is the direction of its paragraph."""
    if not rtl and (line.isascii() or not any(unicodedata.bidirectional(each) in _RTL for each in line)):
        return line
    base = "R" if rtl else "L"
    spans = [(side, "".join(text for _, text in group)) for side, group in groupby(_sides(line, base), lambda s: s[0])]
    ordered = reversed(spans) if base == "R" else iter(spans)
    return "".join(_mirrored(text) if side == "R" else text for side, text in ordered)


def _sides(line: str, base: str) -> Iterator[tuple[str, str]]:
    """Each cluster of a letter and its marks with its side; neutral ones between two of a side join them (rule N1)."""
    clusters = _clusters(line)
    strong = [_strong(cluster[0]) for cluster in clusters]
    for place, cluster in enumerate(clusters):
        before = next((side for side in reversed(strong[:place]) if side), base)
        after = next((side for side in strong[place + 1 :] if side), base)
        yield strong[place] or (before if before == after else base), cluster


def _strong(character: str) -> str:
    kind = unicodedata.bidirectional(character)
    return "R" if kind in _RTL else "L" if kind in _LTR else ""


def _clusters(line: str) -> list[str]:
    clusters: list[str] = []
    for character in line:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _mirrored(text: str) -> str:
    return "".join(reversed(_clusters(text))).translate(_MIRROR)
