"""What all tests share: the proxy's doors, a client for each, and the simulator's journal."""

import json
import os
import ssl
import time
import urllib.request
import uuid

import httpx2
import openai
import pytest

pytest.register_assert_rewrite("neutral", "speak_openai", "speak_anthropic")

DEADLINE = 20.0
HELLO = [{"role": "user", "content": "Say hello."}]


def environment(name):
    return os.environ["SEGUE_SDK_" + name]


def trusting(authority):
    return ssl.create_default_context(cafile=authority)


def base_url(door):
    return environment("PLAIN_URL" if door == "plain" else "TLS_URL")


def http_options(door, authority=None):
    if door == "plain":
        return {}
    return {"http2": door == "h2", "verify": trusting(authority or environment("CA"))}


def connect(door, key=None, **options):
    return openai.OpenAI(
        api_key=key or environment("KEY"),
        base_url=base_url(door),
        max_retries=0,
        timeout=DEADLINE,
        http_client=httpx2.Client(**http_options(door)),
        **options,
    )


@pytest.fixture(params=["plain", "tls", "h2"])
def door(request):
    """A listener and a protocol: HTTP/1.1 in the clear, HTTP/1.1 and HTTP/2 over TLS."""
    return request.param


@pytest.fixture
def client(door):
    with connect(door) as client:
        yield client


@pytest.fixture
def mark():
    """A canary: the simulator puts it into every token, so no other answer can pass for this one."""
    return "py-" + uuid.uuid4().hex[:12]


def expected_text(mark, tokens):
    return "".join(f" {mark}.{token}" for token in range(tokens))


def read_stream(stream):
    """Text, finish reasons and chunks of a stream that must end well."""
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    return text, reasons, chunks


def journal():
    with urllib.request.urlopen(environment("SIM_URL") + "/_sim/journal", timeout=DEADLINE) as answer:
        return json.load(answer)


def journal_entry(mark, done):
    """The simulator's own account of the marked request, once `done` holds of it."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        entries = [entry for entry in journal() if mark in entry["body"]]
        if len(entries) == 1 and done(entries[0]):
            return entries[0]
        time.sleep(0.05)
    raise AssertionError(f"the journal never said it of {mark}: {entries}")


def left_by_its_client(entry):
    return entry["end"] == "client_closed"
