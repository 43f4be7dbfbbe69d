//! Server-sent events: bytes to frames and back. Knows no JSON and does no I/O.
