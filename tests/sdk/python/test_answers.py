"""Good answers arrive whole: text, tools, documents, usage."""

import asyncio
import json

import httpx2
import openai
import pydantic
import pytest

from conftest import DEADLINE, HELLO, base_url, environment, expected_text, http_options, read_stream


class GetWeather(pydantic.BaseModel):
    city: str


class City(pydantic.BaseModel):
    city: str


def test_a_whole_answer_is_the_providers_own(client, mark):
    answer = client.chat.completions.create(model="text", messages=HELLO, user=f"canary:{mark}")
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == expected_text(mark, 16)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16
    assert answer._request_id


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("text", 16),
        ("event_by_event", 8),
        ("sliced", 200),
        ("crlf", 8),
        ("compressed", 40),
        ("role_joined", 4),
        ("one_token", 1),
        ("no_done", 8),
        ("done_twice", 8),
    ],
)
def test_a_stream_is_the_providers_own_and_ends_well(client, mark, model, tokens):
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True, user=f"canary:{mark}")
    text, reasons, chunks = read_stream(stream)
    assert text == expected_text(mark, tokens)
    assert reasons == ["stop"]
    assert sum(1 for c in chunks if c.choices and c.choices[0].delta.content) == tokens
    assert len({c.id for c in chunks}) == 1, "one answer has one id"
    assert len({c.model for c in chunks}) == 1, "one answer has one model"


def test_a_finish_reason_is_passed_on(client):
    answer = client.chat.completions.create(model="length", messages=HELLO)
    assert answer.choices[0].finish_reason == "length"
    stream = client.chat.completions.create(model="length", messages=HELLO, stream=True)
    assert read_stream(stream)[1] == ["length"]


def test_several_choices_are_told_apart(client, mark):
    stream = client.chat.completions.create(
        model="text", messages=HELLO, stream=True, n=3, user=f"canary:{mark}"
    )
    texts = ["", "", ""]
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts[0] == expected_text(mark, 16)
    for index in (1, 2):
        assert texts[index] == "".join(f" {mark}.{token}c{index}" for token in range(16))


def test_usage_comes_last_in_a_stream_that_asked_for_it(client):
    stream = client.chat.completions.create(
        model="counted", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    _, _, chunks = read_stream(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 70
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 64
    assert chunks[-1].usage.completion_tokens == 9
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_usage_stays_out_of_a_stream_that_did_not_ask(client, options):
    stream = client.chat.completions.create(model="counted", messages=HELLO, stream=True, **options)
    _, _, chunks = read_stream(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


def test_tools_arrive_whole(client):
    answer = client.chat.completions.create(
        model="tools", messages=HELLO, tools=[openai.pydantic_function_tool(GetWeather)]
    )
    calls = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in calls] == ["GetWeather", "GetWeather"]
    assert len({call.id for call in calls}) == 2
    for call in calls:
        json.loads(call.function.arguments)


def test_streamed_tools_are_those_of_the_whole_answer(client):
    tools = [openai.pydantic_function_tool(GetWeather)]
    whole = client.chat.completions.create(model="tools", messages=HELLO, tools=tools)
    stream = client.chat.completions.create(model="tools", messages=HELLO, tools=tools, stream=True)
    names, arguments, reasons = {}, {}, []
    for chunk in stream:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                if call.function.name:
                    names[call.index] = call.function.name
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
    calls = whole.choices[0].message.tool_calls
    assert [names[index] for index in sorted(names)] == [call.function.name for call in calls]
    assert [arguments[index] for index in sorted(arguments)] == [call.function.arguments for call in calls]
    assert reasons == ["tool_calls"]


def test_the_sdks_own_accumulator_sees_one_coherent_answer(client, mark):
    with client.chat.completions.stream(model="text", messages=HELLO, user=f"canary:{mark}") as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == expected_text(mark, 16)
    assert final.choices[0].finish_reason == "stop"


def test_a_document_is_parsed_by_its_schema(client):
    answer = client.chat.completions.parse(model="document", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Bern")
    with client.chat.completions.stream(
        model="document_stream", messages=HELLO, response_format=City
    ) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(city="Bern")


def test_many_streams_at_once_never_mix(door):
    async def one(client, number):
        mark = f"mix-{number}"
        stream = await client.chat.completions.create(
            model="event_by_event", messages=HELLO, stream=True, user=f"canary:{mark}"
        )
        text = ""
        async for chunk in stream:
            text += (chunk.choices and chunk.choices[0].delta.content) or ""
        assert text == expected_text(mark, 8)

    async def all_of_them():
        async with openai.AsyncOpenAI(
            api_key=environment("KEY"),
            base_url=base_url(door),
            max_retries=0,
            timeout=DEADLINE,
            http_client=httpx2.AsyncClient(**http_options(door)),
        ) as client:
            await asyncio.gather(*(one(client, number) for number in range(24)))

    asyncio.run(all_of_them())


def test_models_are_the_routes_that_the_key_may_use(client):
    ids = [model.id for model in client.models.list()]
    assert ids == sorted(ids)
    assert {"text", "tools", "cut"} <= set(ids)
    assert client.models.retrieve("text").id == "text"


def test_a_conversation_in_several_parts_reaches_the_provider(client, mark):
    answer = client.chat.completions.create(
        model="text",
        user=f"canary:{mark}",
        temperature=0.3,
        max_completion_tokens=64,
        messages=[
            {"role": "system", "content": "Réponds en français. 🙂"},
            {"role": "user", "content": [{"type": "text", "text": "What is\u2028this?"}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x" * 100_000},
        ],
    )
    assert answer.choices[0].message.content == expected_text(mark, 16)
