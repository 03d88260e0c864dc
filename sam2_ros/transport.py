"""How images get through Fast DDS, the middleware of ROS 2 by default."""

from __future__ import annotations

import os

VARIABLE = "FASTDDS_BUILTIN_TRANSPORTS"

LARGE_SEGMENT = "DEFAULT?sockets_size=8MB"
"""Fast DDS's own transports, with room in shared memory for several images: twice this size for each process.

By default there is half a megabyte; what does not fit goes over UDP in fragments, most of which are lost. LARGE_DATA
of Fast DDS carries images as well, but discovers by TCP: it does not see processes without it, and now and then those
with it wait for each other in vain (docs/troubleshooting.md).
"""

SETTING = f"{VARIABLE}='{LARGE_SEGMENT}'"
"""As a shell takes it."""


def use_large_segment() -> None:
    """Has this process, and those that it starts, send images so. What the user has set stays as it is."""
    os.environ.setdefault(VARIABLE, LARGE_SEGMENT)
