"""Failures raise what an application expects, and a broken stream never ends as a success."""

import openai
import pytest

from conftest import HELLO, connect, environment, expected_text


def ask(client, model, **options):
    return client.chat.completions.create(model=model, messages=HELLO, **options)


@pytest.fixture(params=["whole", "stream"])
def delivery(request):
    return {"stream": True} if request.param == "stream" else {}


def test_a_request_that_the_provider_refuses_comes_back_unchanged(client, delivery):
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, "bad_request", **delivery)
    assert raised.value.status_code == 400
    assert raised.value.code == "unsupported_parameter"
    assert "no-such-knob" in raised.value.message
    with pytest.raises(openai.UnprocessableEntityError):
        ask(client, "unprocessable", **delivery)


def test_a_body_that_is_no_request_is_refused(client):
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", body={"messages": HELLO}, cast_to=object)
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", content=b'{"model": "text", ', cast_to=object)


def test_an_unknown_key_is_refused_without_a_hint(door):
    with connect(door, key="sk-of-nobody") as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            ask(client, "text")
        assert raised.value.status_code == 401
        assert "nobody" not in raised.value.message
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_unknown_and_forbidden_models_look_the_same(door):
    with connect(door, key=environment("NARROW_KEY")) as client:
        assert [model.id for model in client.models.list()] == ["text"]
        assert ask(client, "text").choices
        messages = []
        for model in ("tools", "nosuch"):
            with pytest.raises(openai.NotFoundError) as raised:
                ask(client, model)
            assert raised.value.code == "model_not_found"
            messages.append(raised.value.message.replace(model, "MODEL"))
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve(model)
        assert messages[0] == messages[1]


def test_an_unknown_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.get("/no/such/path", cast_to=object)


def test_a_body_over_the_limit_is_refused(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(
            model="text", messages=[{"role": "user", "content": "x" * int(environment("BODY_LIMIT"))}]
        )
    assert raised.value.status_code == 413


def test_a_rate_limit_says_when_to_come_back(client, delivery):
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, "rate_limited", **delivery)
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize("model", ["failing_500", "failing_502", "failing_503"])
def test_a_failing_provider_is_a_server_error(client, delivery, model):
    with pytest.raises(openai.InternalServerError):
        ask(client, model, **delivery)


def test_our_own_bad_credential_is_never_shown_as_the_clients(client, delivery):
    with pytest.raises(openai.InternalServerError):
        ask(client, "foreign_credential", **delivery)


@pytest.mark.parametrize(
    "model",
    ["cut_before_head", "cut_in_head", "cut_before_text", "error_before_text", "no_answer", "empty", "wrong_type"],
)
def test_a_failure_before_the_first_token_is_a_proper_status(client, model):
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client, model, stream=True)
    assert raised.value.response.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("model", ["cut_before_head", "cut_in_head", "cut_document", "empty", "no_answer"])
def test_half_a_document_is_a_server_error(client, model):
    with pytest.raises(openai.InternalServerError):
        ask(client, model)


@pytest.mark.parametrize("model", ["cut", "reset", "stall", "error_event", "malformed", "no_finish"])
def test_a_break_after_the_first_bytes_raises(client, mark, model):
    text, reasons = "", []
    with pytest.raises(openai.APIError) as raised:
        for chunk in ask(client, model, stream=True, user=f"canary:{mark}"):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons.append(choice.finish_reason)
    assert text, "the first bytes went out before the break"
    assert expected_text(mark, 16).startswith(text), "what came before the break is the provider's own"
    assert not any(reasons), "no success marker before or after the break"
    assert raised.value.message


@pytest.mark.parametrize("model", ["cut", "error_event"])
def test_the_accumulator_does_not_finish_a_broken_answer(client, model):
    with pytest.raises(openai.APIError):
        with client.chat.completions.stream(model=model, messages=HELLO) as stream:
            for _ in stream:
                pass
            stream.get_final_completion()


def test_a_client_is_served_again_after_a_break(client, mark):
    with pytest.raises(openai.APIError):
        list(ask(client, "cut", stream=True))
    answer = ask(client, "text", user=f"canary:{mark}")
    assert answer.choices[0].message.content == expected_text(mark, 16)
