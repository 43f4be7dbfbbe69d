"""One suite of conversations through every SDK, every provider, and every fallback between two."""

import os

import pydantic
import pytest

import neutral
import speak_openai
from conftest import HELLO, connect, journal_entry, left_by_its_client

PROVIDERS = os.environ["SEGUE_SDK_PROVIDERS"].split()
CLIENTS = {"openai-python": speak_openai.Talk}
if "anthropic" in PROVIDERS:
    import speak_anthropic

    CLIENTS["anthropic-python"] = speak_anthropic.Talk


def held():
    """Every conversation by every client in every way to get an answer."""
    return [
        pytest.param(case, name, delivery, id=f"{case['name']}|{name}|{case['chain']}|{delivery}")
        for case in neutral.PLAN["held"]
        for name in CLIENTS
        for delivery in neutral.deliveries(case, name)
    ]


@pytest.mark.parametrize(("case", "name", "delivery"), held())
def test_a_conversation_is_the_same_whoever_answers(case, name, delivery):
    talk = CLIENTS[name](case)
    for step in case["steps"]:
        told = talk.ask(step, delivery)
        neutral.judge(step, told, delivery, talk.recorder.headers)


class City(pydantic.BaseModel):
    city: str
    people: int


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_document_is_parsed_by_its_schema(provider):
    with connect("plain") as client:
        request = {"model": f"schema.0@{provider}", "messages": HELLO, "response_format": City}
        expected = City(city="Zürich", people=448664)
        assert client.chat.completions.parse(**request).choices[0].message.parsed == expected
        with client.chat.completions.stream(**request) as stream:
            assert stream.get_final_completion().choices[0].message.parsed == expected


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", CLIENTS)
def test_leaving_an_answer_closes_the_providers(name, provider, mark):
    CLIENTS[name]({}).leave(f"leave@{provider}", mark)
    assert journal_entry(mark, left_by_its_client)
