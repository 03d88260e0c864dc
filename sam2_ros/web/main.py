"""The command `sam2_ros page`: the page to click on, served on this machine or to others."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import signal
import sys
import threading

import rclpy
from rclpy.exceptions import InvalidTopicNameException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.validate_topic_name import validate_topic_name

from sam2_ros.ros.arguments import BadRosArgument, parameters_named, without_ros
from sam2_ros.transport import use_large_segment

from .address import ADDRESS, parse


class CannotServe(RuntimeError):
    """The address cannot be had; the message says why and what to do."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="sam2_ros page",
        description="Serves a page that shows what a tracker sees, to click on with any browser: start objects by "
        "clicks and boxes, correct, name and remove them.",
        epilog="Whoever can open the page can steer the tracker. With an address other than localhost that is everyone "
        "in the network; `ssh -L 8080:localhost:8080 ROBOT` shows a robot's page to you alone.",
    )
    result.add_argument("--address", default=ADDRESS, metavar="HOST:PORT",
                        help=f"where to serve; 0.0.0.0:8080: to others as well (default: {ADDRESS})")  # fmt: skip
    result.add_argument("--node", default="/sam2", help="the tracker, with its namespace (default: /sam2)")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGINT or SIGTERM, and returns 0 then; 1 if it cannot serve, 2 for a wrong argument."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = parser()
    try:
        options = command.parse_args(without_ros(arguments))
        host, port = _address(options.address)
        _check_name(options.node)
    except (BadRosArgument, ValueError) as error:
        command.error(str(error))
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        print("the page needs aiohttp: sudo apt-get install python3-aiohttp, or pip install aiohttp", file=sys.stderr)
        return 1
    use_large_segment()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        asyncio.run(_serve(options.node, host, port))
    except BadRosArgument as error:
        command.error(str(error))
    except CannotServe as error:
        print(f"sam2_ros page: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def _address(text: str) -> tuple[str, int]:
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"--address {text}: {error}") from error


def _check_name(node: str) -> None:
    try:
        validate_topic_name(node)
    except InvalidTopicNameException as error:
        raise ValueError(f"--node {node}: the name of a node is needed, as in /sam2 or /robot/sam2") from error


async def _serve(tracker: str, host: str, port: int) -> None:
    """Raises CannotServe or BadRosArgument."""
    from aiohttp import web

    from .client import Client
    from .server import Server

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    def changed(camera: str) -> None:
        loop.call_soon_threadsafe(server.changed, camera)

    with parameters_named():
        client = Client(tracker, changed)
    server = Server(client, host)
    executor = SingleThreadedExecutor()
    executor.add_node(client)
    failures: list[Exception] = []

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # without the executor the page would be served, and dead
            failures.append(error)
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            loop.call_soon_threadsafe(stopped.set)

    spinner = threading.Thread(target=spin, name="executor", daemon=True)
    runner = web.AppRunner(server.application, shutdown_timeout=1.0)
    await runner.setup()
    try:
        # By name it would be served at ::1 as well, which many a container has no interface for.
        site = web.TCPSite(runner, "127.0.0.1" if host == "localhost" else host, port)
        try:
            await site.start()
        except OSError as error:
            reason = "it is in use already" if error.errno == errno.EADDRINUSE else error.strerror
            raise CannotServe(
                f"cannot serve at {host}:{port}: {reason}; choose another by --address HOST:PORT, or page:= to the "
                "launch file"
            ) from error
        spinner.start()
        client.get_logger().info(f"the page of {client.tracker} is at {_url(host, runner)}")
        await stopped.wait()
    finally:
        await runner.cleanup()
        executor.shutdown()
        if spinner.ident is not None:
            spinner.join(3.0)
        client.destroy_node()
    if failures:
        raise failures[0]


def _url(host: str, runner: object) -> str:
    port = runner.addresses[0][1]  # type: ignore[attr-defined]
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
