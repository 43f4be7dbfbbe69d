"""Conversations in the words of OpenAI's SDK."""

import json

import httpx2
import openai

from conftest import DEADLINE, base_url, environment
from neutral import LIMIT, Recorder, file, refused, schema, tools

FINISHES = {"stop": "stop", "length": "length", "tool_calls": "tools", "content_filter": "filtered"}
KINDS = [
    (openai.BadRequestError, "bad_request"),
    (openai.RateLimitError, "rate_limited"),
    (openai.InternalServerError, "server"),
]


class Talk:
    recorder = Recorder()
    client = None

    def __init__(self, case):
        # One for all conversations: it takes longer to make than an answer to come.
        Talk.client = Talk.client or openai.OpenAI(
            api_key=environment("KEY"),
            base_url=base_url("plain"),
            max_retries=0,
            timeout=DEADLINE,
            http_client=httpx2.Client(event_hooks={"response": [self.recorder]}),
        )
        self.options = options(case)
        self.messages = [{"role": "system", "content": case["system"]}] if "system" in case else []
        self.calls = []

    def ask(self, step, delivery):
        self.messages += said(step["say"], self.calls)
        request = {"model": step["model"], "messages": self.messages, **self.options}
        try:
            answer, usage = getattr(self, delivery)(request)
        except openai.APIStatusError as error:
            kind = next((kind for kinds, kind in KINDS if isinstance(error, kinds)), type(error).__name__)
            return refused(error, kind)
        except Broken as broken:
            return broken.told
        message = answer["message"]
        self.messages.append(message)
        fields = message if isinstance(message, dict) else message.model_dump()
        self.calls = fields.get("tool_calls") or []
        return told(fields, answer["finish_reason"], usage)

    def whole(self, request):
        answer = self.client.chat.completions.create(**request)
        [choice] = answer.choices
        return {"message": choice.message, "finish_reason": choice.finish_reason}, answer.usage

    def stream(self, request):
        message, reasons, usage = {"role": "assistant", "content": ""}, [], None
        with self.client.chat.completions.create(**request, stream=True, **WITH_USAGE) as stream:
            try:
                for chunk in stream:
                    usage = chunk.usage or usage
                    for choice in chunk.choices:
                        gather(message, choice.delta)
                        reasons += [choice.finish_reason] if choice.finish_reason else []
            except openai.APIError as error:
                raise Broken(error, message["content"], reasons) from error
        [reason] = reasons
        return {"message": message, "finish_reason": reason}, usage

    def helper(self, request):
        text = ""
        with self.client.chat.completions.stream(**request, **WITH_USAGE) as stream:
            try:
                for event in stream:
                    text += event.delta if event.type == "content.delta" else ""
                final = stream.get_final_completion()
            except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as ended:
                # This helper raises where an answer was cut short; what came of it is in the error.
                final = getattr(ended, "completion", None) or stream.current_completion_snapshot
            except openai.APIError as error:
                raise Broken(error, text, []) from error
        [choice] = final.choices
        assert text == (choice.message.content or "")
        return {"message": choice.message, "finish_reason": choice.finish_reason}, final.usage

    def leave(self, model, mark):
        """Begins to read an answer without end, and leaves."""
        messages = [{"role": "user", "content": mark}]
        stream = self.client.chat.completions.create(model=model, messages=messages, stream=True)
        for _, chunk in zip(range(5), stream):
            assert isinstance(chunk.choices, list)
        stream.close()


WITH_USAGE = {"stream_options": {"include_usage": True}}


class Broken(Exception):
    """A stream that broke after its head."""

    def __init__(self, error, text, reasons):
        kind = "connection" if isinstance(error, openai.APIConnectionError) else "broken"
        self.told = {"error": kind, "message": error.message, "text": text, "finish": reasons[0] if reasons else None}


def options(case):
    made = {"max_completion_tokens": LIMIT}
    if "stop" in case:
        made["stop"] = case["stop"]
    if "tools" in case:
        made["tools"] = [
            {"type": "function", "function": {
                "name": name, "description": tool["description"], "parameters": tool["schema"], "strict": True}}
            for name, tool in tools(case).items()
        ]  # fmt: skip
    if (choice := case.get("choice")) is not None:
        named = {"type": "function", "function": {"name": choice}}
        made["tool_choice"] = named if choice in case["tools"] else choice
    if form := schema(case):
        named = {"name": case["schema"], "schema": form, "strict": True}
        made["response_format"] = {"type": "json_schema", "json_schema": named}
    return made


def said(parts, calls):
    """Results as messages of their own, the rest as the user's; a text alone without parts."""
    results = [
        {"role": "tool", "tool_call_id": calls[part["result"]]["id"], "content": part["text"]}
        for part in parts
        if "result" in part
    ]
    content = [shown(part) for part in parts if "result" not in part]
    if len(content) == 1 and content[0]["type"] == "text":
        content = content[0]["text"]
    return results + ([{"role": "user", "content": content}] if content else [])


def shown(part):
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if "image_at" in part:
        return {"type": "image_url", "image_url": {"url": part["image_at"]}}
    own = file(part)
    url = f"data:{own['type']};base64,{own['data']}"
    if own["type"].startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": "file.pdf", "file_data": url}}


def gather(message, delta):
    """Adds a piece of a stream to the message that it makes, as an application does."""
    for key in ("content", "reasoning_content"):
        if piece := getattr(delta, key, None):
            message[key] = message.get(key, "") + piece
    for piece in delta.tool_calls or []:
        calls = message.setdefault("tool_calls", [])
        if piece.index == len(calls):
            more = {"extra_content": piece.extra_content} if getattr(piece, "extra_content", None) else {}
            called = {"name": piece.function.name, "arguments": ""}
            calls.append({"id": piece.id, "type": "function", "function": called} | more)
        calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""


def told(message, reason, usage):
    calls = message.get("tool_calls") or []
    assert len({call["id"] for call in calls}) == len(calls), "every call has an id of its own"
    return {
        "text": message.get("content") or "",
        "reasoning": message.get("reasoning_content") or "",
        "calls": [
            {"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])} for call in calls
        ],
        "finish": FINISHES[reason],
        "usage": usage and counted(usage),
    }


def counted(usage):
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if details else 0
    return {"input": usage.prompt_tokens, "cached": cached or 0, "output": usage.completion_tokens}
