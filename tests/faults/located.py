"""Answers that name an address in place of an image: fetching it is free, buying it again would not be."""

from fakes.raw_server import Flood, Hang, Pause, ReadRequest, Reset, Trickle, http
from faults.bodies import JPEG, PNG, compressed, document, event, items, page
from faults.case import SOON, Case

OPEN = http(200, framing="close")
HERE = "{URL}/files/1.png"


def at(url: str = HERE, **more) -> bytes:
    """A whole answer whose image is elsewhere; `{URL}` stands for this server, so its length cannot be said."""
    return OPEN + items({"url": url, **more})


def fetched(*downloads: tuple, data: bytes = PNG, answer: bytes | None = None, **more) -> Case:
    """The case of an image that can be fetched, at the latest with the last of `downloads`."""
    return Case(
        kind="image",
        image=data,
        steps=(answer or at(),),
        downloads=downloads or ((http(200, PNG),),),
        connections=1 + max(len(downloads), 1),
        **more,
    )


def pending(*downloads: tuple, **more) -> Case:
    """The case of an image that cannot be fetched now: tried four times, never held, never bought again by itself."""
    return Case(
        kind="in_doubt",
        billed="maybe",
        steps=(at(),),
        downloads=downloads,
        connections=more.pop("connections", 5),
        **more,
    )


def lost(*download: object, url: str = HERE, **more) -> Case:
    """The case of an image that can never be fetched: held until somebody decides."""
    downloads = (download,) if download else ()
    return Case(
        kind="in_doubt",
        billed="maybe",
        hold=True,
        steps=(at(url),),
        downloads=downloads,
        connections=1 + len(downloads),
        **more,
    )


FETCHED = {
    "at once": fetched(),
    "empty image beside it": fetched(answer=at(b64_json="")),
    "null image beside it": fetched(answer=at(b64_json=None)),
    "from a stream": fetched(
        answer=OPEN + b'event: image_generation.completed\ndata: {"url":"{URL}/1.png"}\n\n'
    ),
    "from a document as unnamed event": fetched(answer=OPEN + b"data: " + items({"url": HERE}) + b"\n\n"),
    "space round the address": fetched(answer=at(f"  {HERE} ")),
    "escaped slashes": fetched(answer=OPEN + items({"url": HERE}).replace(b"/", b"\\/").replace(b"{URL}", b"{URL}")),
    "a query that is signed": fetched(answer=at(HERE + "?sig=a%2Fb%3D&exp=9")),
    "a fragment": fetched(answer=at(HERE + "#x")),
    "dots in the path": fetched(answer=at("{URL}/a/../../1.png")),
    "the second address": fetched(answer=OPEN + items({"url": ""}, {"url": HERE})),
    "jpeg": fetched((http(200, JPEG),), data=JPEG),
    "called a page": fetched((http(200, PNG, {"Content-Type": "text/html"}),)),
    "chunked": fetched((http(200, PNG, framing="chunked"),)),
    "until the connection closes": fetched((OPEN + PNG,)),
    "compressed": fetched((http(200, compressed(PNG), {"Content-Encoding": "gzip"}),)),
    "in slow pieces": fetched((OPEN, PNG[:5], Pause(0.05), PNG[5:])),
    "in json after all": fetched((http(200, document()),)),
    "after a 503": fetched((http(503),), (http(200, PNG),)),
    "after a 429": fetched((http(429, b"", {"Retry-After": "0"}),), (http(200, PNG),)),
    "after a 408 and a 500": fetched((http(408),), (http(500),), (http(200, PNG),)),
    "after a reset": fetched((ReadRequest(), Reset), (http(200, PNG),)),
    "after three failures": fetched((http(502),), (http(502),), (http(502),), (http(200, PNG),)),
    "after a cut": fetched((http(200, PNG)[:-9],), (http(200, PNG),)),
    "after a damaged one": fetched((http(200, PNG[:900]),), (http(200, PNG),)),
    "after a guard's page": fetched((http(200, page("One moment")),), (http(200, PNG),)),
    "after an empty one": fetched((http(200),), (http(200, PNG),)),
    "after partial images": fetched(
        answer=OPEN + event("image_generation.partial_image", JPEG, partial_image_index=0)
        + b'event: image_generation.completed\ndata: {"url":"{URL}/1.png"}\n\n'
    ),
}  # fmt: skip

PENDING = {
    "503 for ever": pending((http(503),)),
    "a page for ever": pending((http(200, page("wait")),)),
    "nothing for ever": pending((http(200),)),
    # The client by itself repeats a GET once that nobody answered.
    "closed for ever": pending((ReadRequest(),), connections=9),
    "reset for ever": pending((ReadRequest(), Reset), connections=9),
    "cut for ever": pending((http(200, PNG)[:-9],)),
    "garbage for ever": pending((b"\x00\xff\r\n\r\n",)),
    "never an answer": pending((Hang,), deadline_seconds=SOON),
    "a byte now and then": pending((OPEN, Trickle(PNG, 0.02, endless=True)), deadline_seconds=SOON),
    "damage that may pass": Case(
        kind="bad_answer", billed="maybe", hold=True, steps=(at(),), downloads=((http(200, PNG[:900]),),), connections=5
    ),
}

LOST = {
    "404": lost(http(404)),
    "403": lost(http(403, page("expired"))),
    "410": lost(http(410)),
    "401": lost(http(401)),
    "a redirect": lost(http(302, b"", {"Location": "{URL}/elsewhere"})),
    "a redirect to metadata": lost(http(301, b"", {"Location": "http://169.254.169.254/latest"})),
    "a picture too large": lost(OPEN + PNG, Flood(bytes(65536))),
    "plain http elsewhere": lost(url="http://cdn.example.com/1.png"),
    "another port": lost(url="http://127.0.0.1:9/1.png"),
    "another name for this machine": lost(url="http://localhost:9/1.png"),
    "cloud metadata": lost(url="http://169.254.169.254/latest/meta-data"),
    "cloud metadata by https": lost(url="https://169.254.169.254/latest/meta-data"),
    "a decimal address": lost(url="https://2130706433/1.png"),
    "a mapped address": lost(url="https://[::ffff:127.0.0.1]/1.png"),
    "a user name": lost(url="https://user:pw@cdn.example.com/1.png"),
}

UNUSABLE = {
    name: Case(kind="bad_answer", billed="maybe", steps=(at(url),))
    for name, url in {
        "file": "file:///etc/passwd",
        "ftp": "ftp://cdn.example.com/1.png",
        "gopher": "gopher://127.0.0.1:70/x",
        "javascript": "javascript:alert(1)",
        "no scheme": "//cdn.example.com/1.png",
        "a path": "/files/1.png",
        "a line break": "https://cdn.example.com/1\r\nX-Injected: 1",
        "a space": "https://cdn.example.com/ 1.png",
        "9 kB": "https://cdn.example.com/" + "x" * 9000,
        "text": "soon",
    }.items()
}

LOCATED = {
    f"{group}: {name}": case
    for group, cases in {
        "fetched": FETCHED,
        "pending": PENDING,
        "lost": LOST,
        "no address": UNUSABLE,
    }.items()
    for name, case in cases.items()
}
