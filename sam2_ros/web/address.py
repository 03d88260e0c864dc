"""Where the page is served, as people write it."""

from __future__ import annotations

ADDRESS = "localhost:8080"
"""Where it is served if nothing else is said."""


def parse(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, the host of IPv6 in brackets. Raises ValueError, which says what is needed."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 2**16):
        raise ValueError(f"HOST:PORT is needed, as in {ADDRESS}, with a port below 65536")
    return host.strip("[]"), int(port)
