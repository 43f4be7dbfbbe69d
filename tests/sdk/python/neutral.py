"""What all conversations share: the plan, what a client told in words of no SDK, and the judgement.

A talk is one conversation in one SDK's words: `ask(step, delivery)` gives what came back as a map of
text, reasoning, calls, finish, usage; or error, message and retry_after. What a client cannot tell
it leaves out.
"""

import json
import os
import re
from pathlib import Path

PLAN = json.loads(Path(os.environ["SEGUE_SDK_PLAN"]).read_text())
DELIVERIES = ["whole", "stream", "helper"]
LIMIT = 256


def deliveries(case, name):
    """How a client gets the answers of a conversation; none where it is not for that client."""
    return [] if name in case.get("except", []) else case.get("deliveries", DELIVERIES)


def file(part):
    return PLAN["files"][part["file"]]


def tools(case):
    return {name: PLAN["tools"][name] for name in case.get("tools", [])}


def schema(case):
    return PLAN["schemas"].get(case.get("schema"))


class Recorder:
    """Keeps the head of the last answer: an HTTP client's response hook."""

    headers = {}

    def __call__(self, response):
        self.headers = response.headers


def refused(error, kind):
    """The neutral form of a status."""
    after = error.response.headers.get("retry-after")
    code = {"code": error.code} if hasattr(error, "code") else {}
    return {"error": kind, "message": error.message, "retry_after": int(after) if after else None} | code


def judge(step, told, delivery, headers):
    """Holds what a client told against what the table expects."""
    expected = step["expect"] if delivery == "whole" else step.get("streamed", step["expect"])
    if "error" not in expected:
        assert "error" not in told, told
        assert headers["x-segue-target"] == step["target"]
        assert headers["x-segue-attempts"] == str(step["attempts"])
    for what, value in expected.items():
        match what:
            case "heard":
                heard = json.loads(told["text"])
                assert {key: heard[key] for key in value} == value
            case "document":
                assert json.loads(told["text"]) == value
            case "says":
                assert re.search(value, told["message"], re.IGNORECASE), told
            case "retry_after":
                assert 1 <= told["retry_after"] <= value, told
            case "part_of":
                assert told["text"] and value.startswith(told["text"]), told
            case "usage":
                assert {key: told["usage"][key] for key in value} == value
            case "reasoning" | "code":
                assert told.get(what, value) == value, told
            case _:
                assert told[what] == value, (what, told)
    if expected.get("error") == "broken":
        assert told["finish"] is None, "no success mark before or after the break"
