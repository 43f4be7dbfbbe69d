"""The size of a program, and how soon it serves: the median of some starts. Usage: start.py PROGRAM"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

STARTS = 20
CONFIG = """
listen: [{{ address: "127.0.0.1:{port}" }}]
admin: off
log: {{ access: off }}
providers: {{ p: {{ dialect: openai, base_url: "http://127.0.0.1:9/v1", private_peers: true }} }}
routes: {{ m: p/m }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(program, folder):
    """Seconds from the start of the process to the first answer."""
    port = free_port()
    path = os.path.join(folder, "segue.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(port=port))
    began = time.monotonic()
    process = subprocess.Popen([program, "run", "-c", path], stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                    client.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
                    if not client.recv(64).startswith(b"HTTP/1.1 200"):
                        sys.exit("it does not serve")
                    return time.monotonic() - began
            except ConnectionRefusedError:
                if process.poll() is not None:
                    sys.exit(f"it ended with {process.returncode}")
                time.sleep(0.0005)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        times = [start(program, folder) for _ in range(STARTS)]
    size = os.path.getsize(program)
    print(f"{program}: {size / (1 << 20):.1f} MiB, serves after {statistics.median(times) * 1e3:.0f} ms")


main(sys.argv[1])
