"""Each kind of failure, from the gateway's answer to the exit code: what is sent, what is recorded, what comes next."""

import json
from dataclasses import dataclass

import pytest
from fakes.gateway import Reply, broken, error, lost, refused, throttled, timed_out

EMPTY = Reply(body=json.dumps({"created": 1, "data": []}))
ERROR_IN_200 = Reply(body=json.dumps({"error": {"message": "upstream said no", "type": "upstream_error"}}))
CODE_IN_200 = Reply(body=json.dumps({"error": {"message": "blocked", "code": "moderation_blocked"}}))
BAD_BASE64 = Reply(body=json.dumps({"data": [{"b64_json": "!!!not base64!!!"}]}))
NO_IMAGE = Reply(body=json.dumps({"data": [{"b64_json": "aGVsbG8="}]}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One answer, once; then images. `sends` counts requests of that one image in that run."""

    reply: Reply
    kind: str
    billed: str = "no"
    final: bool = False
    code: int = 0
    sends: int = 2


CASES = {
    "429": Case(reply=throttled(), kind="throttled"),
    "429 with an unknown code": Case(reply=error(429, "busy", code="upstream_busy"), kind="throttled"),
    "425": Case(reply=error(425, "too early"), kind="throttled"),
    "500 with an error": Case(reply=broken(), kind="server_error"),
    "503 with an error": Case(reply=error(503, "try later", kind="server_error"), kind="server_error"),
    "503 that asks for a slower pace": Case(reply=error(503, "slow down", code="slow_down"), kind="throttled"),
    "500 without an error": Case(reply=Reply(status=500, body="<html>oops</html>"), kind="in_doubt", billed="maybe"),
    "502": Case(reply=Reply(status=502, body="<html>bad gateway</html>"), kind="in_doubt", billed="maybe"),
    "504 with an error": Case(reply=error(504, "gateway timeout"), kind="in_doubt", billed="maybe"),
    "524": Case(reply=timed_out(), kind="in_doubt", billed="maybe"),
    "408": Case(reply=error(408, "request timeout"), kind="in_doubt", billed="maybe"),
    "499": Case(reply=error(499, "client closed request"), kind="in_doubt", billed="maybe"),
    "302": Case(reply=Reply(status=302, headers={"Location": "/v1/elsewhere"}), kind="in_doubt", billed="maybe"),
    "a lost answer": Case(reply=lost(), kind="in_doubt", billed="maybe"),
    "no image in a 200": Case(reply=EMPTY, kind="bad_answer", billed="maybe"),
    "an unknown error in a 200": Case(reply=ERROR_IN_200, kind="bad_answer", billed="maybe"),
    "broken base64": Case(reply=BAD_BASE64, kind="bad_answer", billed="maybe"),
    "bytes that are no image": Case(reply=NO_IMAGE, kind="bad_answer", billed="maybe"),
    "moderation": Case(reply=refused(), kind="refused", final=True, code=3, sends=1),
    "moderation in a 200": Case(reply=CODE_IN_200, kind="refused", final=True, code=3, sends=1),
    "a numeric type of moderation": Case(
        reply=error(400, "Input may not meet the guidelines", kind="503"), kind="refused", final=True, code=3, sends=1
    ),
    "400": Case(reply=error(400, "bad", code="invalid_value"), kind="bad_request", final=True, code=3, sends=1),
    "413": Case(reply=error(413, "too large"), kind="bad_request", final=True, code=3, sends=1),
    "401": Case(reply=error(401, "bad key", code="invalid_api_key"), kind="stopped", final=True, code=4, sends=1),
    "402": Case(reply=error(402, "no balance"), kind="stopped", final=True, code=4, sends=1),
    "403": Case(reply=error(403, "verify first"), kind="stopped", final=True, code=4, sends=1),
    "no money as 429": Case(
        reply=error(429, "quota", code="insufficient_quota"), kind="stopped", final=True, code=4, sends=1
    ),
    "no money as 403": Case(
        reply=error(403, "quota", code="insufficient_user_quota"), kind="stopped", final=True, code=4, sends=1
    ),
    "a billing limit as 400": Case(
        reply=error(400, "limit", code="billing_hard_limit_reached"), kind="stopped", final=True, code=4, sends=1
    ),
    "an unknown model": Case(
        reply=error(404, "no such model", code="model_not_found"), kind="stopped", final=True, code=4, sends=1
    ),
    "no channel as 503": Case(
        reply=error(503, "No available channel for model gpt-image-2 under group default", kind="new_api_error"),
        kind="stopped",
        final=True,
        code=4,
        sends=1,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_answer_leads_where_its_kind_says(name, paid_job, openai_gateway):
    """Kind, billed, final, number of sends and exit code follow from the answer; the ledger says the same."""
    case = CASES[name]
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [case.reply]}
    finished = paid_job.run(code=case.code)
    failure = finished.event("failure")
    assert (failure["kind"], failure["billed"], failure["final"]) == (case.kind, case.billed, case.final)
    assert len(openai_gateway.requests) == case.sends
    (entry,) = paid_job.entries("attempt_failed")
    recorded = (entry.get("failure", "in_doubt"), entry.get("billed", "maybe"))  # the ledger leaves defaults out
    assert recorded == (case.kind, case.billed)
    assert len(paid_job.entries("attempt_started")) == case.sends


def test_a_request_that_never_left_is_not_sent(make_job):
    """Nothing listens: kind not_sent, billed no, exit 4 because nothing ever answered."""
    job = make_job({"use": "openai", "base_url": "http://127.0.0.1:9/v1"}, prompts=["a mug"])
    job.write(retry={"waits": [0.05], "max_wait": 0.1, "give_up_after": 1})
    finished = job.run(code=4)
    failures = [event for event in finished.events if event["event"] == "failure"]
    assert {(event["kind"], event["billed"]) for event in failures} == {("not_sent", "no")}
    assert not finished.event("summary")["maybe_billed_usd"]
    assert job.entries("request_failed") == []


def test_every_attempt_carries_the_same_key(paid_job, openai_gateway):
    """The id goes out as Idempotency-Key each time; the client request id counts the attempts."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [broken(), lost(), broken()]}
    paid_job.run()
    ids = {request.key for request in openai_gateway.requests}
    assert ids == {paid_job.entries("image_saved")[0]["request"]}
    (key,) = ids
    seen = [request.headers["X-Client-Request-Id"] for request in openai_gateway.requests]
    assert seen == [f"{key}-{number}" for number in (1, 2, 3, 4)]


def test_attempt_numbers_go_on_over_runs(paid_job, openai_gateway):
    """A second run's first attempt of a request is not number 1 again."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [error(400, "bad", code="invalid_value")]}
    paid_job.run(code=3)
    paid_job.run()
    assert [entry["attempt"] for entry in paid_job.entries("attempt_started")] == [1, 2]


def test_a_refusal_is_remembered(paid_job, openai_gateway):
    """A later run does not send what moderation refused; `retry --refused` does."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [refused()]}
    paid_job.run(code=3)
    assert paid_job.run(code=3).event("summary")["attempts"] == 0
    assert paid_job.call("retry").code == 3
    assert len(openai_gateway.requests) == 1
    assert paid_job.call("retry", "--refused").code == 0
    assert len(paid_job.images) == 1


def test_a_bad_request_is_sent_again_by_the_next_run(paid_job, openai_gateway):
    """Final for this run only: the account or the gateway may have changed."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [error(400, "bad", code="invalid_value")]}
    paid_job.run(code=3)
    assert list(paid_job.states().values()) == ["failed"]
    assert paid_job.run().event("summary")["saved"] == 1


def test_a_stop_collects_what_is_in_flight(paid_job, openai_gateway):
    """A refused key ends the run; what was not started is counted as such."""
    paid_job.write(prompts=[f"a mug, view {number}" for number in range(6)], limits={"concurrency": 1})
    openai_gateway.answers = {"view 2": [error(401, "bad key", code="invalid_api_key")]}
    end = paid_job.run(code=4).event("summary")
    assert (end["saved"], end["saved"] + end["failed"] + end["not_started"]) == (2, 6)
    assert len(openai_gateway.requests) == 3


def test_a_doubt_is_resent_so_often_and_then_held(paid_job, openai_gateway):
    """Two resends by default; then the image is held, in this run and in the next."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [lost() for _ in range(9)]}
    end = paid_job.run(code=3).event("summary")
    assert (end["in_doubt"], len(openai_gateway.requests)) == (1, 3)
    assert list(paid_job.states().values()) == ["in_doubt"]
    assert paid_job.run(code=3).event("summary")["attempts"] == 0


def test_hold_never_sends_a_doubt_again(paid_job, openai_gateway):
    """With `in_doubt: hold` one lost answer is enough."""
    paid_job.write(prompts=["a mug"], retry={"in_doubt": "hold"})
    openai_gateway.answers = {"mug": [timed_out()]}
    paid_job.run(code=3)
    paid_job.run(code=3)
    assert len(openai_gateway.requests) == 1


def test_each_resend_cites_what_allows_it(paid_job, openai_gateway):
    """A first attempt has no reason; each further one names the entry that allows it."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [broken(), lost()]}
    paid_job.run()
    reasons = [entry["because"] for entry in paid_job.entries("attempt_started")]
    assert reasons == [None, *(entry["seq"] for entry in paid_job.entries("attempt_failed"))]


def test_throttling_does_not_use_up_attempts(paid_job, openai_gateway):
    """Five times too fast, with two attempts allowed: the image still comes."""
    paid_job.write(prompts=["a mug"], retry={**paid_job.manifest["retry"], "attempts": 2})
    openai_gateway.answers = {"mug": [throttled(0.05) for _ in range(5)]}
    assert paid_job.run().event("summary")["saved"] == 1
    assert len(openai_gateway.requests) == 6


def test_attempts_run_out_while_others_succeed(paid_job, openai_gateway):
    """One request that fails each time is given up after its attempts; the rest is made: exit 3."""
    prompts = ["a mug", *(f"a tray, view {number}" for number in range(8))]
    paid_job.write(prompts=prompts, retry={**paid_job.manifest["retry"], "attempts": 2})
    openai_gateway.answers = {"mug": [broken() for _ in range(20)]}
    end = paid_job.run(code=3).event("summary")
    assert (end["saved"], end["failed"]) == (8, 1)


def test_a_bad_answer_is_kept_as_evidence(paid_job, openai_gateway):
    """What came in place of an image may have been paid for: it stays in images/.rejected/."""
    paid_job.write(prompts=["a mug"])
    openai_gateway.answers = {"mug": [NO_IMAGE]}
    paid_job.run()
    assert [path for path in (paid_job.place / "images" / ".rejected").rglob("*") if path.is_file()]


def test_the_message_for_people_says_what_to_do(paid_job, openai_gateway):
    """Without --json the summary groups failures by reason and names the next command."""
    paid_job.write(prompts=["a mug", "a tray"])
    openai_gateway.answers = {"mug": [refused()]}
    finished = paid_job.call("run")
    text = finished.out + finished.err
    assert finished.code == 3
    assert "refused" in text
    assert "batchgen retry" in text or "change the prompt" in text


def test_flaky_weather_ends_well(make_job):
    """The sandbox's flaky preset throttles and fails: the run finishes with every image."""
    job = make_job({"use": "sandbox", "faults": "flaky"}, prompts=["a mug"], repeat=24)
    end = job.run().event("summary")
    assert (end["saved"], end["exit_code"]) == (24, 0)
