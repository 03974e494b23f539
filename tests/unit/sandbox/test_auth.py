"""The key, if there is one, is asked for."""

import pytest


@pytest.mark.parametrize(("given", "status"), [("Bearer sk-1", 200), ("sk-1", 200), ("Bearer sk-2", 401), (None, 401)])
def test_key_is_asked_for_when_set(serve, given: str | None, status: int):
    """Bearer and bare keys are both taken; a wrong or missing one is 401."""

    async def claim(client) -> None:
        headers = {"Authorization": given} if given else {}
        reply = await client.send(json={"prompt": "p", "size": "64x64"}, headers=headers)
        assert reply.status == status
        assert status == 200 or reply.code == "invalid_api_key"
        assert (await client.get(f"{client.sandbox.url}/models", headers=headers)).status == status

    serve(claim, key="sk-1")


def test_client_request_id_has_a_limit(serve):
    """512 characters are taken, 513 are a 400."""

    async def claim(client) -> None:
        body = {"prompt": "p", "size": "64x64"}
        for length, status in ((512, 200), (513, 400)):
            assert (await client.send(json=body, headers={"X-Client-Request-Id": "x" * length})).status == status

    serve(claim)
