"""The command `sam2_ros`. A subcommand imports what it needs only when it runs."""

from __future__ import annotations

import argparse
import ctypes
import sys
from importlib import import_module, metadata

COMMANDS = {
    "node": ("sam2_ros.ros.main", "the ROS 2 node that tracks objects"),
    "page": ("sam2_ros.web.main", "the page to click on, for any browser"),
    "camera": ("sam2_ros.simulation.camera", "play a video, a folder of images or a simulated table as a camera"),
    "demo": ("sam2_ros.simulation.demo", "camera, node and prompts in processes of their own, with a verdict"),
    "soak": ("sam2_ros.apps.soak", "track for hours and see that neither memory nor time per frame grows"),
    "weights": ("sam2_ros.apps.weights", "list the official weights, or fetch one of them"),
    "evaluate": ("sam2_ros.apps.evaluate", "measure a model on labelled sequences"),
}

_NODES = ("node", "page", "camera")
"""They run until they are told to stop, so that to be told is no failure."""

_MALLOC_OPTIONS = {
    -1: 1 << 30,  # M_TRIM_THRESHOLD: free bytes from which the heap shrinks
    -3: 32 << 20,  # M_MMAP_THRESHOLD: bytes from which a block is mapped by itself; there is no higher value
    -8: 1,  # M_ARENA_MAX: the heaps of other threads shrink whatever the threshold
}
"""Of malloc.h, from the GNU C library."""


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand; the rest of the arguments are its own."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="sam2_ros", description="Streaming SAM 2.1 on ROS 2 cameras.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, summary) in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    command = parser.parse_args(given[:1]).command
    module, _ = COMMANDS[command]
    _keep_freed_memory()
    try:
        run = import_module(module).main
        _flush_denormals()
        return int(run(given[1:]))
    except KeyboardInterrupt:  # while it was still being imported; the commands themselves end in order
        return 0 if command in _NODES else 130


def _version() -> str:
    try:
        return metadata.version("sam2_ros")
    except metadata.PackageNotFoundError:
        return "in a version that is not known: it runs from its sources, and is not installed"


def _keep_freed_memory() -> None:
    """Lets glibc use large freed blocks again at once.

    By default it returns them to the system and fetches them anew for every frame, which costs nano on a CPU 4,600 page
    faults a frame, a seventh of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOC_OPTIONS.items():
            mallopt(option, value)


def _flush_denormals() -> None:
    """Takes numbers too small for float32's full precision for zero, here and in all threads that start from here.

    A sharp softmax is full of numbers near 1e-40, with which a CPU multiplies three times as slowly. Done for commands
    only: it is a state of the processor, and a library leaves that to whoever uses it.
    """
    torch = sys.modules.get("torch")  # a command without it is not to wait for it
    if torch is not None:
        torch.set_flush_denormal(True)


if __name__ == "__main__":
    sys.exit(main())
