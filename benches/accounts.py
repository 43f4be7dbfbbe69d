#!/usr/bin/env python3
"""What accounts cost: processor time of an exchange without them and with them, side by side.

    benches/accounts.py target/release/segue [ROUNDS]

100 clients ask ten times each: three streams of 100 tokens, 20 ms apart, two whole answers of as many, three streams that the
client leaves after a third, and two that fall back from a 503; half of the clients speak Anthropic's dialect. Two proxies, each with
one worker and pinned to core 1, take turns; simulator and clients are on core 0. The figure is the kernel's account of all threads of
a proxy, the store's included.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import stage

SCRIPT = "up/sim:tokens=100,delay=20ms"
FAILING = "up/sim:status=503"
PRICE = "price: { input: 3, output: 15 }"
BOUNDS = "budget: { usd: 1000000, per: day }, limits: { tokens_per_minute: 4000000000 }"
CONFIGS = {"off": ("", "", ""), "on": (PRICE, BOUNDS, "accounts: { store: { path: ./usage.db } }\n")}
PROMPT = "the quick brown fox jumps over the lazy dog " * 20
CLIENTS = 100


@dataclass(frozen=True)
class Ask:
    """What a client asks for, and how many bytes of the answer it waits for, if not for all."""

    model: str = "m"
    stream: bool = True
    leaves: int | None = None

    def request(self, path):
        body = {"model": self.model, "stream": self.stream, "max_tokens": 1000}
        return stage.post(json.dumps(body | {"messages": [{"role": "user", "content": PROMPT}]}).encode(), path)


WHOLE = Ask(stream=False)
LEAVES = Ask(leaves=5_000)
FALLS_BACK = Ask(model="falls")
DAY = [Ask(), WHOLE, LEAVES, FALLS_BACK, Ask(), LEAVES, WHOLE, Ask(), FALLS_BACK, LEAVES]
PATHS = ["/v1/chat/completions", "/v1/messages"]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    program = str(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) == 3 else 5
    os.sched_setaffinity(0, {0})
    with contextlib.ExitStack() as stack:
        sim = stage.free_port()
        start(stack, sim, [program, "sim", "--listen", f"127.0.0.1:{sim}", "--keep", "0"])
        proxies = {name: proxy(stack, program, sim, *config) for name, config in CONFIGS.items()}
        seen = {name: [] for name in proxies}
        for number in range(-1, rounds):
            for name, (process, port) in sorted(proxies.items(), reverse=number % 2 == 0):
                before = spent(process)
                load(port)
                # What the store has gathered is written within 100 ms.
                time.sleep(0.5)
                if number >= 0:
                    seen[name].append((spent(process) - before) / (len(DAY) * CLIENTS) / 1e3)
    off, on = (statistics.median(seen[name]) for name in ("off", "on"))
    print(f"{off:.0f} us an exchange without accounts, {on:.0f} with them: {on / off:.3f}")


def proxy(stack, program, sim, price, bounds, more):
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-accounts-"))
    target, failing = (f'{{ target: "{script}", {price} }}' for script in (SCRIPT, FAILING))
    routes = f"{{ tiers: [[{target}]], {bounds} }}\n  falls: {{ tiers: [[{failing}], [{target}]], breaker: off, {bounds} }}"
    port = stage.configure(folder, sim, routes, more)
    command = ["taskset", "-c", "1", program, "run", "-c", "segue.yaml"]
    return start(stack, port, command, cwd=folder, env=os.environ | {"TOKIO_WORKER_THREADS": "1"}), port


def start(stack, port, command, **more):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = stack.enter_context(subprocess.Popen(command, **quiet, **more))
    stack.callback(process.kill)
    stage.connection(port).close()
    return process


def load(port):
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(client, port, place) for place in range(CLIENTS)]:
            done.result()


def client(port, place):
    time.sleep(place * 0.02)
    path = PATHS[place % len(PATHS)]
    for at in range(len(DAY)):
        ask = DAY[(place + at) % len(DAY)]
        with stage.connection(port) as stream:
            stream.sendall(ask.request(path))
            read(stream, ask)


def read(stream, ask):
    """Reads an answer to its end, or to where the client leaves."""
    answer = b""
    while ask.leaves is None or len(answer) < ask.leaves:
        piece = stream.recv(65536)
        answer += piece
        if not answer.startswith(b"HTTP/1.1 200 "[: len(answer)]) or not piece:
            raise EOFError(f"not an answer: {answer[:200]}")
        if is_whole(answer):
            return


def is_whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return len(body) >= int(length[1]) if length else body.endswith(b"\r\n0\r\n\r\n")


def spent(process):
    """Nanoseconds of all its threads."""
    tasks = Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())


if __name__ == "__main__":
    main()
