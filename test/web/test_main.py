"""The command `sam2_ros page`."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest

from sam2_ros.web.main import main


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sam2_ros", "page", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_address_that_is_taken(context: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = _run("--address", address)
    assert result.returncode == 1
    assert result.stderr == (
        f"sam2_ros page: cannot serve at {address}: it is in use already; choose another by --address HOST:PORT, "
        "or page:= to the launch file\n"
    )


def test_a_host_that_there_is_not(context: Any) -> None:
    result = _run("--address", "192.0.2.1:8080")  # kept for documentation: nobody has it
    assert result.returncode == 1
    assert "cannot serve at 192.0.2.1:8080: " in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("address", ["8080", "localhost", "localhost:", ":8080", "localhost:99999", "localhost:-1"])
def test_what_is_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--address={address}"])
    assert ended.value.code == 2
    assert f"--address {address}: HOST:PORT is needed, as in localhost:8080" in capsys.readouterr().err


def test_without_aiohttp(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert main([]) == 1
    assert "the page needs aiohttp: sudo apt-get install python3-aiohttp" in capsys.readouterr().err


def test_a_node_that_is_none(context: Any) -> None:
    result = _run("--node", "not a name")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr and "--node not a name" in result.stderr


def test_localhost_is_this_machine_alone(context: Any, address: str, until: Any) -> None:
    """By another of its addresses it would be served to others, too."""
    port = int(address.rpartition(":")[2])
    command = [sys.executable, "-m", "sam2_ros", "page", "--address", f"localhost:{port}"]
    page = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until(lambda: b"the page of" in page.stdout.readline())
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
    finally:
        page.terminate()
        page.wait()


def test_without_its_executor_it_ends(context: Any) -> None:
    """The page would be served, and dead."""
    code = (
        "import sys; from rclpy.executors import SingleThreadedExecutor as Executor; "
        "from sam2_ros.web.main import main; "
        "Executor.spin = lambda self: 1 / 0; sys.exit(main(['--address', '127.0.0.1:0']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr
