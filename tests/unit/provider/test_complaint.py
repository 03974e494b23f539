import pytest

from batchgen.provider.answer import Envelope
from batchgen.provider.complaint import read_complaint
from batchgen.safetext import Scrubber


def complaint(body=None, text: str = ""):
    return read_complaint(Envelope(form="json", complete=True, has_image=False, body=body, text=text), Scrubber())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "boom"}}, "boom"),
        ({"error": "boom"}, "boom"),
        ({"error": {"msg": "boom"}}, "boom"),
        ({"error": {"message": {"message": "boom"}}}, "boom"),
        ({"error": ["boom"]}, "boom"),
        ({"error": True, "message": "boom"}, "boom"),
        ({"message": "boom"}, "boom"),
        ({"msg": "boom"}, "boom"),
        ({"err": "boom"}, "boom"),
        ({"error_msg": "boom"}, "boom"),
        ({"header": {"message": "boom"}}, "boom"),
        ({"response": {"error": {"message": "boom"}}}, "boom"),
        ({"detail": "boom"}, "boom"),
        ({"detail": [{"loc": ["body", "image"], "msg": "field required"}]}, "body.image: field required"),
        ({"detail": [{"msg": "one"}, {"msg": "two"}]}, "one; two"),
        ({"detail": [7, None]}, "7; None"),
        ({"error": {"code": 7}}, ""),
    ],
)
def test_message_is_found_in_every_shape(body, message):
    """Gateways put their message into at least ten shapes; all are read."""
    assert complaint(body).message == message


@pytest.mark.parametrize(
    "body", [{}, {"data": []}, {"created": 1, "data": [{"url": ""}]}, {"error": None}, {"error": ""}]
)
def test_body_without_error_holds_no_complaint(body):
    """A document that complains of nothing is not made to."""
    assert complaint(body) is None


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({"error": {"message": "x", "code": "A_b", "type": "T"}}, ("a_b", "t")),
        ({"error": {"message": "x", "code": 401}}, ("401",)),
        ({"error": {"message": "x", "code": None, "type": ""}}, ()),
        ({"error": {"message": "x", "code": True}}, ()),
        ({"error": {"message": "x", "code": ["a"]}}, ()),
        ({"error": "x", "code": "outer"}, ("outer",)),
        ({"code": 401, "message": "x", "type": "error"}, ("401", "error")),
        ({"error": {"message": "x", "code": "a", "innererror": {"code": "b"}}}, ("a", "b")),
    ],
)
def test_codes_are_text_whatever_they_were(body, codes):
    """A code may be any JSON type; what can be compared is."""
    assert complaint(body).codes == codes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><head><title>502 Bad Gateway</title></head>", "502 Bad Gateway"),
        ("<html><script>alert('x')</script><h1>Sorry</h1></html>", "Sorry"),
        ("upstream connect error", "upstream connect error"),
        ("a < b", "a < b"),
    ],
)
def test_pages_are_boiled_down(text, message):
    """Of an HTML page the title or the words remain."""
    found = complaint(text=text)
    assert (found.message, found.is_json) == (message, False)


def test_nothing_said_is_nothing():
    """An empty body holds no complaint."""
    assert complaint() is None
