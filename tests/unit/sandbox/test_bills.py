"""The bill log is an append-only file that others may read."""

import json
from pathlib import Path

import pytest

from batchgen.sandbox.bills import Bill, BillLog


def _bill(**change: object) -> Bill:
    same = {
        "time": "2026-01-01T00:00:00.000Z",
        "idempotency_key": "k",
        "client_request_id": "k-1",
        "request_id": "req_1",
    }
    more = {"attempt": 1, "index": 0, "operation": "generate", "model": "m", "size": "16x16", "quality": "low"}
    return Bill(**{**same, **more, "price_usd": 0.25, "body_sha256": "00", "fault": "", "delivered": True, **change})


def test_bills_are_lines_in_order(tmp_path: Path):
    """Each bill is one JSON line, and the totals follow."""
    log = BillLog(tmp_path / "bills.jsonl")
    log.append([_bill(), _bill(index=1)])
    log.append([_bill(idempotency_key="é\udc80")])
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "bills.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 0]
    assert (log.images, log.total_usd) == (3, 0.75)


def test_bills_of_an_earlier_server_stay_and_are_not_counted(tmp_path: Path):
    """A file that was there is appended to; only the new lines are shown."""
    path = tmp_path / "bills.jsonl"
    path.write_bytes(b'{"old": true}\n')
    log = BillLog(path)
    log.append([_bill()])
    assert [json.loads(line)["request_id"] for line in log.lines()] == ["req_1"]
    assert path.read_bytes().startswith(b'{"old": true}\n')
    log.close()


def test_bill_file_is_private(tmp_path: Path):
    """Nobody else reads the keys in it."""
    BillLog(tmp_path / "bills.jsonl").close()
    assert (tmp_path / "bills.jsonl").stat().st_mode & 0o777 == 0o600


def test_file_that_cannot_be_opened_is_an_error(tmp_path: Path):
    """A missing folder is reported at the start."""
    with pytest.raises(FileNotFoundError):
        BillLog(tmp_path / "missing" / "bills.jsonl")


def test_full_disk_is_an_error_and_counts_nothing():
    """A bill that was not written is not in the totals."""
    log = BillLog(Path("/dev/full"))
    with pytest.raises(OSError, match="No space"):
        log.append([_bill()])
    assert log.images == 0
    log.close()
