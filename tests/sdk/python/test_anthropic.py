"""What only Anthropic's SDK knows: its helpers, its errors, and what survives between its own format and itself."""

import asyncio
import json
import os

import httpx2
import pydantic
import pytest

from conftest import environment, journal, journal_entry

PROVIDERS = os.environ["SEGUE_SDK_PROVIDERS"].split()
if "anthropic" not in PROVIDERS:
    pytest.skip("no provider of this format is configured", allow_module_level=True)

import anthropic  # noqa: E402
from speak_anthropic import connect  # noqa: E402

HELLO = {"max_tokens": 64, "messages": [{"role": "user", "content": "Say hello."}]}


class City(pydantic.BaseModel):
    city: str
    people: int


@pytest.fixture
def client():
    with connect() as client:
        yield client


@pytest.fixture(params=PROVIDERS)
def provider(request):
    return request.param


def marked(mark):
    return HELLO | {"messages": [{"role": "user", "content": mark}]}


def test_an_answer_is_a_message_of_this_format(client, provider):
    message = client.messages.create(model=f"text.0@{provider}", **HELLO)
    assert message.id.startswith("msg_")
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert [block.type for block in message.content] == ["text"]
    assert message._request_id


def test_a_stream_keeps_the_grammar(client, provider):
    with client.messages.create(model=f"text.0@{provider}", stream=True, **HELLO) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert events[0].message.id.startswith("msg_")
    assert events[0].message.content == [] and events[0].message.stop_reason is None


def test_blocks_of_calls_never_overlap(client, provider):
    model = f"parallel_tools.0@{provider}"
    tools = [{"name": "look_up", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}]
    with client.messages.stream(model=model, tools=tools, **HELLO) as stream:
        places = [(event.type, event.index) for event in stream if event.type.startswith("content_block_st")]
        message = stream.get_final_message()
    assert places == [(f"content_block_{what}", place) for place in range(3) for what in ("start", "stop")]
    assert [block.input for block in message.content] == [{"text": " w0 w1 w2"}, {"text": " w3 w4"}, {"text": " w5 w6"}]


def test_the_text_stream_is_the_text(client, provider):
    with client.messages.stream(model=f"text.0@{provider}", **HELLO) as stream:
        assert "".join(stream.text_stream) == " w0 w1 w2 w3"
        assert stream.get_final_text() == " w0 w1 w2 w3"


def test_a_document_is_parsed_by_its_schema(client, provider):
    message = client.messages.parse(model=f"schema.0@{provider}", output_format=City, **HELLO)
    assert message.parsed_output == City(city="Zürich", people=448664)


def test_models_are_the_routes(client):
    page = client.models.list()
    models = {model.id: model for model in page.data}
    assert models["text.0@anthropic"].type == "model"
    assert models["text.0@anthropic"].display_name
    assert client.models.retrieve("text").id == "text"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nosuch")


def test_tokens_are_counted(client):
    counted = client.messages.count_tokens(model="text.0@anthropic", messages=HELLO["messages"])
    assert counted.input_tokens > 0


@pytest.mark.parametrize("header", ["api_key", "auth_token"])
def test_a_key_stands_in_either_place(header):
    options = {"api_key": None, "auth_token": None} | {header: environment("KEY")}
    with connect(**options) as client:
        assert client.messages.create(model="text.0@anthropic", **HELLO).content
    with connect(**options | {header: "sk-of-nobody"}) as client:
        with pytest.raises(anthropic.AuthenticationError) as raised:
            client.messages.create(model="text.0@anthropic", **HELLO)
        assert raised.value.body["error"]["type"] == "authentication_error"
        assert "nobody" not in str(raised.value)


def test_refusals_are_errors_of_this_format(client):
    cases = [
        ("nosuch", HELLO, anthropic.NotFoundError, "not_found_error"),
        ("text.0@anthropic", HELLO | {"messages": "?"}, anthropic.BadRequestError, "invalid_request_error"),
        ("rate_limited.0@anthropic", HELLO, anthropic.RateLimitError, "rate_limit_error"),
        ("bad_request.0@anthropic", HELLO, anthropic.BadRequestError, "invalid_request_error"),
        ("our_credential.0@anthropic", HELLO, anthropic.InternalServerError, "api_error"),
    ]
    for model, request, kind, word in cases:
        with pytest.raises(kind) as raised:
            client.messages.create(model=model, **request)
        assert raised.value.body["type"] == "error", model
        assert raised.value.body["error"]["type"] == word, model
        assert raised.value.request_id, model


def test_a_body_over_the_limit_is_refused(client):
    content = "x" * int(environment("BODY_LIMIT"))
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(model="text.0@anthropic", **marked(content))
    assert raised.value.status_code == 413
    assert raised.value.body["error"]["type"] == "request_too_large"


@pytest.mark.parametrize("case", ["error_event", "cut", "malformed", "no_finish"])
def test_a_break_is_an_error_event(client, provider, case):
    text = ""
    with pytest.raises(anthropic.APIStatusError) as raised:
        with client.messages.stream(model=f"{case}.0@{provider}", **HELLO) as stream:
            for piece in stream.text_stream:
                text += piece
    assert text
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["message"]


def test_the_end_at_a_stop_sequence_is_told(client):
    request = HELLO | {"stop_sequences": ["END"]}
    message = client.messages.create(model="stopped.0@anthropic", **request)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    with client.messages.stream(model="stopped.0@anthropic", **request) as stream:
        assert stream.get_final_message().stop_sequence == "END"


def test_cached_tokens_are_told_apart(client, provider):
    usage = client.messages.create(model=f"usage_cached.0@{provider}", **HELLO).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (6, 64)


def test_signatures_survive_a_round_trip(client, mark):
    message = client.messages.create(model="reasoning.0@anthropic", **HELLO)
    [thought] = [block for block in message.content if block.type == "thinking"]
    assert thought.signature
    answer = {"role": "assistant", "content": message.content}
    messages = [*HELLO["messages"], answer, {"role": "user", "content": mark}]
    client.messages.create(model="text.0@anthropic", max_tokens=64, messages=messages)
    sent = json.loads(journal_entry(mark, lambda entry: entry["end"] == "served")["body"])
    assert sent["messages"][1]["content"][0] == thought.to_dict()


def test_what_is_new_reaches_the_provider_as_it_is(client, mark):
    more = {"context_management": {"edits": [{"type": "clear_future_20270101", "deep": [1, 2.5]}]}}
    client.beta.messages.create(model="text.0@anthropic", betas=["future-2027-01-01"], extra_body=more, **marked(mark))
    [entry] = [entry for entry in journal() if mark in entry["body"]]
    assert json.dumps(more, separators=(",", ":")).strip("{}") in entry["body"]
    headers = dict(entry["headers"])
    assert headers["anthropic-beta"] == "future-2027-01-01"
    assert headers["anthropic-version"] == client.default_headers["anthropic-version"]
    assert environment("KEY") not in json.dumps(entry)


def test_an_async_client_is_served_alike(provider):
    async def ask():
        async with anthropic.AsyncAnthropic(
            api_key=environment("KEY"),
            base_url=environment("PLAIN_URL").removesuffix("/v1"),
            max_retries=0,
            http_client=httpx2.AsyncClient(),
        ) as client:
            async with client.messages.stream(model=f"text.0@{provider}", **HELLO) as stream:
                return await stream.get_final_text()

    assert asyncio.run(ask()) == " w0 w1 w2 w3"
