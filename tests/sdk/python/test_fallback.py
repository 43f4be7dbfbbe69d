"""How every stream may end, as an application sees it (docs/fallback.md), and what a chain does about it."""

import os
import signal

import openai
import pytest

from conftest import DEADLINE, HELLO, connect, environment, expected_text, journal, read_stream


def ask(client, model, **options):
    return client.chat.completions.create(model=model, messages=HELLO, **options)


@pytest.fixture(params=["whole", "stream"])
def delivery(request):
    return {"stream": True} if request.param == "stream" else {}


def told(answer, delivery):
    """The text of an answer that must be good, and the model that gave it."""
    if not delivery:
        return answer.choices[0].message.content, answer.model
    text, reasons, chunks = read_stream(answer)
    assert reasons == ["stop"]
    assert len({chunk.id for chunk in chunks}) == len({chunk.model for chunk in chunks}) == 1
    return text, chunks[0].model


@pytest.mark.parametrize(
    "model", ["no_done", "done_twice", "cut_after_finish", "reset_after_finish", "stall_after_finish", "bare_last_frame"]
)
def test_a_stream_with_a_finish_reason_is_a_good_end(client, model):
    text, reasons, _ = read_stream(ask(client, model, stream=True))
    assert text and reasons == ["stop"]


@pytest.mark.parametrize(("model", "reason"), [("filtered", "content_filter"), ("length", "length")])
def test_the_finish_reason_is_the_providers(client, model, reason):
    assert read_stream(ask(client, model, stream=True))[1] == [reason]


BROKEN = [
    "cut", "reset", "stall", "no_finish", "no_finish_but_done", "error_event", "error_event_alone", "malformed",
    "unknown_shape", "too_long", "half_a_frame", "too_slow", "past_the_deadline", "broken_fallback",
]  # fmt: skip


def raises_after_some_text(client, model):
    text, reasons = "", []
    with pytest.raises(openai.APIError) as raised:
        for chunk in ask(client, model, stream=True):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons.append(choice.finish_reason)
    assert text and not any(reasons), "the text comes, and no success mark"
    assert raised.value.message


@pytest.mark.parametrize("model", BROKEN)
def test_a_stream_without_a_good_end_raises(client, model):
    raises_after_some_text(client, model)


def test_a_crawl_raises():
    with connect("plain") as client:
        raises_after_some_text(client, "crawl")


def test_a_stop_whose_drain_is_over_raises():
    url, process = environment("STOPPING_URL"), int(environment("STOPPING_PID"))
    with openai.OpenAI(api_key=environment("KEY"), base_url=url, max_retries=0, timeout=DEADLINE) as client:
        with pytest.raises(openai.APIError) as raised:
            for place, chunk in enumerate(ask(client, "endless", stream=True)):
                assert not any(choice.finish_reason for choice in chunk.choices)
                if place == 5:
                    os.kill(process, signal.SIGTERM)
        assert not isinstance(raised.value, openai.APIConnectionError), "an error event, not a cut connection"


RESCUED = ["connection", "head", "status", "event", "credential", "model", "quota", "type", "empty", "silence"]


@pytest.mark.parametrize("fault", RESCUED)
def test_a_failure_before_the_first_token_is_never_seen(client, mark, delivery, fault):
    answer = ask(client, f"rescued_{fault}", user=f"canary:{mark}", **delivery)
    assert told(answer, delivery) == (expected_text(mark, 16), f"rescued_{fault}.1")


@pytest.mark.parametrize("fault", ["cut", "reset", "stall", "error", "malformed", "no_finish"])
def test_a_failure_while_the_head_is_held_is_never_seen(client, mark, fault):
    stream = ask(client, f"held_{fault}", user=f"canary:{mark}", stream=True)
    assert stream.response.headers["x-segue-target"] == f"sim/held_{fault}.1"
    assert stream.response.headers["x-segue-attempts"] == "2"
    assert stream.response.headers["x-segue-fallback-reason"]
    assert told(stream, True) == (expected_text(mark, 16), f"held_{fault}.1")


def test_what_the_first_target_says_against_the_request_is_raised(client, delivery):
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, "refused_by_the_first", **delivery)
    assert raised.value.code == "unsupported_parameter"
    assert "no-such-knob" in raised.value.message


def test_a_chain_of_limits_says_when_to_come_back(client, delivery):
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, "all_rate_limited", **delivery)
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("all_fail", openai.InternalServerError, 502),
        ("all_silent", openai.InternalServerError, 504),
    ],
)
def test_an_exhausted_chain_raises_once(client, mark, delivery, model, kind, status):
    patient = client.with_options(max_retries=2)
    with pytest.raises(kind) as raised:
        ask(patient, model, user=f"canary:{mark}", **delivery)
    assert raised.value.status_code == status
    assert sum(mark in entry["body"] for entry in journal()) == 2, "the SDK does not walk the chain again"
