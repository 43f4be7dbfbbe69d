"""Connections: TLS is verified, HTTP/2 is spoken, and a client that leaves is noticed."""

import asyncio

import httpx2
import openai
import pytest

from conftest import (
    DEADLINE,
    HELLO,
    base_url,
    connect,
    environment,
    http_options,
    journal_entry,
    left_by_its_client,
)


@pytest.mark.parametrize(("door", "version"), [("plain", "HTTP/1.1"), ("tls", "HTTP/1.1"), ("h2", "HTTP/2")])
def test_the_protocol_is_the_one_offered(door, version):
    with connect(door) as client:
        answer = client.chat.completions.with_raw_response.create(model="text", messages=HELLO)
        assert answer.http_response.http_version == version
        assert answer.parse().choices[0].finish_reason == "stop"


def test_answers_carry_the_headers_that_tell_how_they_came_about(client):
    answer = client.chat.completions.with_raw_response.create(model="text", messages=HELLO)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-request-id"]
    assert answer.headers["x-segue-route"] == "text"
    assert answer.headers["x-segue-target"] == "sim/text"
    assert answer.headers["x-segue-attempts"] == "1"
    with client.chat.completions.with_streaming_response.create(
        model="text", messages=HELLO, stream=True
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"


def test_a_certificate_of_another_authority_is_not_accepted():
    for door in ("tls", "h2"):
        options = http_options(door, authority=environment("OTHER_CA"))
        with openai.OpenAI(
            api_key=environment("KEY"),
            base_url=base_url(door),
            max_retries=0,
            http_client=httpx2.Client(**options),
        ) as client:
            with pytest.raises(openai.APIConnectionError) as raised:
                client.models.list()
            assert "certificate verify failed" in str(raised.value.__cause__).lower()


def test_one_connection_serves_many_answers(door):
    with connect(door) as client:
        for _ in range(50):
            assert client.chat.completions.create(model="one_token", messages=HELLO).choices
        pool = client._client._transport_for_url(httpx2.URL(base_url(door)))._pool
        assert len(pool.connections) == 1


def test_closing_a_stream_closes_the_providers(door, client, mark):
    stream = client.chat.completions.create(model="endless", messages=HELLO, stream=True, user=f"canary:{mark}")
    for _, chunk in zip(range(5), stream):
        assert chunk.choices
    stream.close()
    if door == "h2":
        # This client frees an HTTP/2 stream without RST_STREAM: only the connection's end is seen.
        client.close()
    assert journal_entry(mark, left_by_its_client)


def test_cancelling_a_task_closes_the_providers(door, mark):
    async def leave():
        async with openai.AsyncOpenAI(
            api_key=environment("KEY"),
            base_url=base_url(door),
            max_retries=0,
            timeout=DEADLINE,
            http_client=httpx2.AsyncClient(**http_options(door)),
        ) as client:
            started = asyncio.Event()

            async def read():
                stream = await client.chat.completions.create(
                    model="endless", messages=HELLO, stream=True, user=f"canary:{mark}"
                )
                async for _ in stream:
                    started.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(started.wait(), DEADLINE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if door == "h2":
                await client.close()
            await asyncio.to_thread(journal_entry, mark, left_by_its_client)

    asyncio.run(leave())
