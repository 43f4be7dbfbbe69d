"""Conversations in the words of Anthropic's SDK."""

import json

import anthropic
import httpx2

from conftest import DEADLINE, environment
from neutral import LIMIT, Recorder, file, refused, schema, tools

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tools",
    "refusal": "filtered",
}
KINDS = [
    (anthropic.BadRequestError, "bad_request"),
    (anthropic.RateLimitError, "rate_limited"),
    (anthropic.InternalServerError, "server"),
]


class Talk:
    recorder = Recorder()
    client = None

    def __init__(self, case):
        # One for all conversations: it takes longer to make than an answer to come.
        Talk.client = Talk.client or connect(http_client=httpx2.Client(event_hooks={"response": [self.recorder]}))
        self.options = options(case)
        self.messages = []
        self.calls = []

    def ask(self, step, delivery):
        content = [shown(part, self.calls) for part in step["say"]]
        self.messages.append({"role": "user", "content": content})
        request = {"model": step["model"], "messages": self.messages, **self.options}
        try:
            message = getattr(self, delivery)(request)
        except Broken as broken:
            return broken.told
        except anthropic.APIStatusError as error:
            kind = next((kind for kinds, kind in KINDS if isinstance(error, kinds)), type(error).__name__)
            return refused(error, kind)
        self.messages.append({"role": "assistant", "content": message["content"]})
        self.calls = [block for block in message["content"] if block["type"] == "tool_use"]
        return told(message)

    def whole(self, request):
        message = self.client.messages.create(**request)
        assert message.type == "message" and message.role == "assistant"
        return message.to_dict()

    def stream(self, request):
        message = {"content": [], "usage": {}, "stop_reason": None}
        with self.client.messages.create(**request, stream=True) as stream:
            try:
                for event in stream:
                    gather(message, event)
            except anthropic.APIError as error:
                raise Broken(error, message) from error
        for block in message["content"]:
            if block["type"] == "tool_use":
                block["input"] = json.loads(block.pop("json") or "{}")
        return message

    def helper(self, request):
        text = ""
        with self.client.messages.stream(**request) as stream:
            try:
                for event in stream:
                    text += event.text if event.type == "text" else ""
                final = stream.get_final_message()
            except anthropic.APIError as error:
                raise Broken(error, {"content": [{"type": "text", "text": text}], "stop_reason": None}) from error
        return final.to_dict()

    def leave(self, model, mark):
        """Begins to read an answer without end, and leaves."""
        messages = [{"role": "user", "content": mark}]
        stream = self.client.messages.create(model=model, messages=messages, max_tokens=LIMIT, stream=True)
        for _, event in zip(range(5), stream):
            assert event.type
        stream.close()


class Broken(Exception):
    """A stream that broke after its head."""

    def __init__(self, error, message):
        kind = "connection" if isinstance(error, anthropic.APIConnectionError) else "broken"
        text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
        self.told = {"error": kind, "message": error.message, "text": text, "finish": message["stop_reason"]}


def connect(**options):
    """The address without `/v1`: this SDK adds it."""
    options = {"api_key": environment("KEY"), "base_url": environment("PLAIN_URL").removesuffix("/v1")} | options
    return anthropic.Anthropic(max_retries=0, timeout=DEADLINE, **options)


def options(case):
    made = {"max_tokens": LIMIT}
    if "system" in case:
        made["system"] = case["system"]
    if "stop" in case:
        made["stop_sequences"] = case["stop"]
    if "tools" in case:
        made["tools"] = [
            {"name": name, "description": tool["description"], "input_schema": tool["schema"]}
            for name, tool in tools(case).items()
        ]
    if (choice := case.get("choice")) is not None:
        words = {"required": {"type": "any"}, "none": {"type": "none"}}
        made["tool_choice"] = words.get(choice) or {"type": "tool", "name": choice}
    if form := schema(case):
        made["output_config"] = {"format": {"type": "json_schema", "schema": form}}
    return made


def shown(part, calls):
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if "image_at" in part:
        return {"type": "image", "source": {"type": "url", "url": part["image_at"]}}
    if "result" in part:
        own = {"type": "tool_result", "tool_use_id": calls[part["result"]]["id"], "content": part["text"]}
        return own | ({"is_error": True} if part.get("error") else {})
    own = file(part)
    source = {"type": "base64", "media_type": own["type"], "data": own["data"]}
    return {"type": "image" if own["type"].startswith("image/") else "document", "source": source}


def gather(message, event):
    """Adds an event to the message that it makes."""
    match event.type:
        case "message_start":
            message["usage"] = event.message.usage.to_dict()
        case "content_block_start":
            assert event.index == len(message["content"]), "blocks begin in order"
            block = event.content_block.to_dict()
            message["content"].append(block | ({"json": ""} if block["type"] == "tool_use" else {}))
        case "content_block_delta":
            assert event.index == len(message["content"]) - 1, "blocks do not overlap"
            block, delta = message["content"][-1], event.delta
            match delta.type:
                case "text_delta":
                    block["text"] += delta.text
                case "input_json_delta":
                    block["json"] += delta.partial_json
                case "thinking_delta":
                    block["thinking"] += delta.thinking
                case "signature_delta":
                    block["signature"] = block.get("signature", "") + delta.signature
        case "message_delta":
            message["stop_reason"] = event.delta.stop_reason
            more = {key: value for key, value in event.usage.to_dict().items() if value is not None}
            message["usage"] |= more


def told(message):
    def blocks(kind):
        return [block for block in message["content"] if block["type"] == kind]

    usage = message["usage"]
    cached = usage.get("cache_read_input_tokens") or 0
    calls = blocks("tool_use")
    assert len({call["id"] for call in calls}) == len(calls), "every call has an id of its own"
    return {
        "text": "".join(block["text"] for block in blocks("text")),
        "reasoning": "".join(block["thinking"] for block in blocks("thinking")),
        "calls": [{"name": call["name"], "arguments": call["input"]} for call in calls],
        "finish": FINISHES[message["stop_reason"]],
        "usage": {
            "input": usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0),
            "cached": cached,
            "output": usage["output_tokens"],
        },
    }
