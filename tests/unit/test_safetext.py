import base64
import html
import json
import re
from urllib.parse import quote

import pytest

from batchgen.safetext import Scrubber, safe_text

KEY = 'sk-pröj/Ab+12=34"56\\78'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\r\nlines\ttab", "two lines tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\x00b\x7fc\x85d", "a b c d"),
        ("abc\u202edef\u2066ghi", "abcdefghi"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ud800lone", "lone"),
        ("\U000e0041tag", "tag"),
        ("一只猫 é ñ 🎨", "一只猫 é ñ 🎨"),
        ("", ""),
    ],
)
def test_text_becomes_one_printable_line(text, shown):
    """Escapes, controls, direction tricks and surrogates vanish; words of every script stay."""
    assert safe_text(text) == shown
    safe_text(text).encode()


def test_long_text_is_cut():
    """No message is longer than its limit."""
    assert safe_text("x" * 1000) == "x" * 297 + "..."


def test_unterminated_escape_is_cheap():
    """A text made of broken escape sequences is cleaned in no time."""
    assert safe_text("\x1b]" * 30_000) == ""


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        f"Bearer {KEY}",
        quote(KEY, safe=""),
        json.dumps(KEY),
        json.dumps(KEY, ensure_ascii=False),
        json.dumps(KEY).replace("/", "\\/"),
        quote(KEY).replace("/", "%2f"),
        re.sub("%..", lambda found: found[0].lower(), quote(KEY, safe="")),
        html.escape(KEY),
        html.escape(KEY, quote=False),
        html.escape(KEY).replace("&quot;", "&#34;"),
        html.escape(KEY).replace("&quot;", "&#x00022;"),
        json.dumps(KEY).replace("=", "\\u003D"),
        KEY.encode().hex(),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(b"Bearer " + KEY.encode()).decode(),
        base64.b64encode(b"user:" + KEY.encode() + b"xx").decode(),
        base64.urlsafe_b64encode(b"ab" + KEY.encode()).decode(),
        KEY[:8] + "\x1b[0m" + KEY[8:],
    ],
)
def test_secret_is_struck_in_every_form(form):
    """A key that is echoed in any usual encoding does not come through."""
    shown = Scrubber([KEY]).text(f"incorrect key: {form}!")
    assert "***" in shown
    assert KEY[3:] not in shown


def test_secret_is_struck_before_the_text_is_cut():
    """A key that straddles the limit does not leave its first half behind."""
    assert "sk-123" not in Scrubber(["sk-1234567890"]).text("x" * 290 + "sk-1234567890")


def test_secret_is_struck_from_bytes():
    """Raw evidence is scrubbed as well, and otherwise unchanged."""
    assert Scrubber(["sk-1234567890"]).raw(b"\x89 sk-1234567890 \xff") == b"\x89 *** \xff"


def test_no_secret_changes_nothing():
    """Without secrets nothing is struck."""
    assert Scrubber().text("sk-1234567890") == "sk-1234567890"
    assert Scrubber([""]).raw(b"x") == b"x"


def test_representation_is_silent():
    """The object that knows the secrets does not tell."""
    assert "1234" not in repr(Scrubber(["sk-1234567890"]))
