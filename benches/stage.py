"""What the Python benches share: a request, a proxy's config, and the port that it listens on."""

import contextlib
import socket
import sys
import time
from pathlib import Path

PATIENCE = 60.0


def post(body, path="/v1/chat/completions"):
    """The bytes of a request with this body."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def configure(folder, provider, route, more=""):
    """Writes segue.yaml: model `m` by that route, whose provider `up` listens on port `provider`. Returns the proxy's port."""
    port = free_port()
    Path(folder, "segue.yaml").write_text(
        f'listen: [{{ address: "127.0.0.1:{port}" }}]\nadmin: off\nlog: {{ access: off }}\n'
        f'providers: {{ up: {{ dialect: openai, base_url: "http://127.0.0.1:{provider}/v1", private_peers: true }} }}\n'
        f"routes:\n  m: {route}\n{more}"
    )
    return port


def connection(port):
    """A connection to what listens on the port, or soon will."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
