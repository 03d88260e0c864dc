"""Where the page is served, as people write it."""

from __future__ import annotations

import pytest

from sam2_ros.web.address import ADDRESS, parse


def test_host_and_port() -> None:
    assert parse(ADDRESS) == ("localhost", 8080)
    assert parse("0.0.0.0:65535") == ("0.0.0.0", 65535)
    assert parse("[::1]:8080") == ("::1", 8080)


@pytest.mark.parametrize("text", ["localhost:65536", "localhost:+80", ""])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT is needed, as in localhost:8080, with a port below 65536"):
        parse(text)
