import socket

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--faults", "[{kind: throtle}]"], 2, "throtle"),
        (["--faults", "[{"], 2, "--faults"),
        (["--latency", "soon"], 2, "--latency"),
        (["--latency", "-1"], 2, "--latency"),
        (["--port", "70000"], 2, "--port"),
        (["--key-env", "NOT_SET"], 4, "NOT_SET"),
        (["--bills", "nowhere/bills.jsonl"], 2, "cannot start"),
    ],
)
def test_a_wrong_option_starts_nothing(batchgen, arguments, code, says):
    """The option and the remedy are named, and no URL is printed."""
    said = batchgen("sandbox", *arguments)
    assert said.code == code
    assert says in said.err
    assert said.out == ""


def test_a_port_in_use_is_exit_2(batchgen):
    """The message proposes another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = batchgen("sandbox", "--port", taken.getsockname()[1])
    assert said.code == 2
    assert "choose another --port" in said.err
