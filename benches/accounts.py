#!/usr/bin/env python3
"""What accounts cost: processor time of an exchange without them and with them, side by side.

    benches/accounts.py target/release/segue [ROUNDS]

An exchange is a stream of 100 tokens, 20 ms apart; 100 clients ask twice each. Two proxies, each with one worker and pinned to
core 1, take turns; simulator and clients are on core 0. The figure is the kernel's account of all threads of a proxy, the store's included.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import stage

SCRIPT = "up/sim:tokens=100,delay=20ms"
CONFIGS = {
    "off": (f'"{SCRIPT}"', ""),
    "on": (
        f'{{ tiers: [[{{ target: "{SCRIPT}", price: {{ input: 3, output: 15 }} }}]], '
        "budget: { usd: 1000000, per: day }, limits: { tokens_per_minute: 4000000000 } }",
        "accounts: { store: { path: ./usage.db } }\n",
    ),
}
PROMPT = "the quick brown fox jumps over the lazy dog " * 20
BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": PROMPT}]}).encode()
REQUEST = stage.post(BODY)
CLIENTS = 100


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
                    seen[name].append((spent(process) - before) / (2 * CLIENTS) / 1e3)
    off, on = (statistics.median(seen[name]) for name in ("off", "on"))
    print(f"{off:.0f} us an exchange without accounts, {on:.0f} with them: {on / off:.3f}")


def proxy(stack, program, sim, route, more):
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-accounts-"))
    port = stage.configure(folder, sim, route, more)
    command = ["taskset", "-c", "1", program, "run", "-c", "segue.yaml"]
    return start(stack, port, command, cwd=folder, env=os.environ | {"TOKIO_WORKER_THREADS": "1"}), port


def start(stack, port, command, **more):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = stack.enter_context(subprocess.Popen(command, **quiet, **more))
    stack.callback(process.kill)
    stage.connection(port).close()
    return process


def load(port):
    threads = [threading.Thread(target=client, args=(port, place * 0.02)) for place in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def client(port, wait):
    time.sleep(wait)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        for _ in range(2):
            stream.sendall(REQUEST)
            tail = b""
            while not tail.endswith(b"0\r\n\r\n"):
                piece = stream.recv(65536)
                if not piece:
                    raise EOFError("the answer was cut")
                tail = (tail + piece)[-16:]


def spent(process):
    """Nanoseconds of all its threads."""
    tasks = Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())


if __name__ == "__main__":
    main()
