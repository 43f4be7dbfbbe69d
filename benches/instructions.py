#!/usr/bin/env python3
"""What an exchange costs in instructions of user space, which no other load disturbs: programs side by side.

    benches/instructions.py PROGRAM [PROGRAM…]

For each program a 1 KB request with a whole answer, and one with a stream of 100 tokens that come all at once. One connection, one
worker, under valgrind's callgrind: a run of 2,500 exchanges less one of 500, so that what a start costs is not in it.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import stage

FEW, MANY = 500, 2_500
USAGE = {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}
BASE = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "m"}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for program in (Path(path).resolve() for path in sys.argv[1:]):
        for name, body, answer in (("whole", {}, whole()), ("stream", {"stream": True}, stream())):
            few, many = (instructions(program, body, answer, number) for number in (FEW, MANY))
            print(f"{program} {name}: {(many - few) / (MANY - FEW):,.0f} instructions an exchange", flush=True)


def whole():
    message = {"role": "assistant", "content": " ".join(f"w{number}" for number in range(10))}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return head("application/json", json.dumps(BASE | {"object": "chat.completion", "choices": [choice], "usage": USAGE}))


def stream():
    def frame(more):
        return f"data: {json.dumps(BASE | {'object': 'chat.completion.chunk'} | more)}\n\n"

    def chunk(delta, finish=None):
        return frame({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    words = "".join(chunk({"content": f"w{number} "}) for number in range(100))
    end = chunk({}, "stop") + frame({"choices": [], "usage": USAGE}) + "data: [DONE]\n\n"
    return head("text/event-stream", chunk({"role": "assistant", "content": ""}) + words + end)


def head(kind, body):
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def instructions(program, more, answer, exchanges):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 900}]} | more).encode()
    request = stage.post(body)
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=provide, args=(provider, answer), daemon=True).start()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-instructions-"))
        port = stage.configure(folder, provider.getsockname()[1], "up/m")
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), "run", "-c", "segue.yaml"]
        log = stack.enter_context(Path(folder, "log").open("w+"))
        environment = os.environ | {"TOKIO_WORKER_THREADS": "1"}
        process = stack.enter_context(subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=log))
        stack.callback(process.kill)
        with stage.connection(port) as client:
            for _ in range(exchanges):
                client.sendall(request)
                read_message(client)
        process.terminate()
        process.wait(stage.PATIENCE)
        log.seek(0)
        return int(re.search(r"Collected : (\d+)", log.read())[1])


def provide(provider, answer):
    """The same answer to every request, on one connection after the other."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = provider.accept()
            with client, contextlib.suppress(EOFError):
                while True:
                    read_message(client)
                    client.sendall(answer)


def read_message(stream):
    """Reads a request or an answer to its end."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if end and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")):
            break
        piece = stream.recv(65536)
        if not piece:
            raise EOFError("cut")
        got += piece
    if head.startswith(b"HTTP/1.1 ") and not head.startswith(b"HTTP/1.1 200"):
        sys.exit(head.decode())


if __name__ == "__main__":
    main()
