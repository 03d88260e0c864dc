"""Processes that speak over DDS do so in a domain of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sam2_ros import transport


@pytest.fixture(autouse=True, scope="session")
def own_domain() -> Iterator[None]:
    """For this process and those that it starts."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ROS_DOMAIN_ID", str(random.randint(1, 100)))
    patch.setenv(transport.VARIABLE, transport.LARGE_SEGMENT)
    yield
    patch.undo()
