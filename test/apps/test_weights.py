"""Fetching against a real server on loopback: whole, in parts, damaged, missing."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from tqdm import tqdm

from sam2_ros.apps import weights
from sam2_ros.apps.weights import OFFICIAL, DownloadError, fetch, main
from sam2_ros.network import Sam2Config

CONTENT = bytes(range(256)) * 20_000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT by ranges; /broken stops half way, /plain knows no ranges."""

    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and self.path != "/plain" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT) // 2 if self.path == "/broken" else len(CONTENT)
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Server.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_whole_file(server: str, tmp_path: Path) -> None:
    fetch(f"{server}/file", tmp_path / "new" / "a.pt", SUM)
    assert (tmp_path / "new" / "a.pt").read_bytes() == CONTENT
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.pt"]


def test_a_broken_download_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    target = tmp_path / "a.pt"
    with pytest.raises(DownloadError, match="goes on from what has arrived"):
        fetch(f"{server}/broken", target, SUM)
    assert not target.exists()
    fetch(f"{server}/file", target, SUM)
    assert target.read_bytes() == CONTENT
    assert Server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_what_has_arrived_outlives_a_server_that_refuses(server: str, tmp_path: Path) -> None:
    target = tmp_path / "a.pt"
    for path, reason in (("broken", "goes on from what has arrived"), ("missing", "404")):
        with pytest.raises(DownloadError, match=reason):
            fetch(f"{server}/{path}", target, SUM)
    fetch(f"{server}/file", target, SUM)
    assert target.read_bytes() == CONTENT
    assert Server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt.part").write_bytes(b"old")
    fetch(f"{server}/plain", tmp_path / "a.pt", SUM)
    assert (tmp_path / "a.pt").read_bytes() == CONTENT


def test_all_of_it_had_arrived_already(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt.part").write_bytes(CONTENT)
    fetch(f"{server}/file", tmp_path / "a.pt", SUM)
    assert (tmp_path / "a.pt").read_bytes() == CONTENT


def test_a_wrong_sum_leaves_nothing_behind(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"has the SHA-256 {SUM}, not {'0' * 64}"):
        fetch(f"{server}/file", tmp_path / "a.pt", "0" * 64)
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_and_who_does_not_answer(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="/missing answered 404"):
        fetch(f"{server}/missing", tmp_path / "a.pt", SUM)
    nobody = "http://127.0.0.1:1/file"
    with pytest.raises(DownloadError, match=f"{nobody} cannot be reached: .*refused; .* copy it to {tmp_path}/a.pt"):
        fetch(nobody, tmp_path / "a.pt", SUM)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "new"):
        with pytest.raises(DownloadError, match=f"{folder} cannot be written to: .*; set SAM2_ROS_WEIGHTS to a folder"):
            fetch(f"{server}/file", folder / "a.pt", SUM)
    assert Server.ranges == []


def test_ctrl_c_keeps_what_has_arrived(server: str, tmp_path: Path, monkeypatch, capsys) -> None:
    def interrupted(bar: tqdm, amount: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("SAM2_ROS_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(weights.Weights, "url", f"{server}/file")
    monkeypatch.setattr(weights.tqdm, "update", interrupted)
    assert main(["sam2_hiera_tiny"]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "sam2_ros weights: interrupted; the same command goes on from what has arrived"
    (part,) = tmp_path.iterdir()
    assert part.name == "sam2_hiera_tiny.pt.part" and 0 < part.stat().st_size < len(CONTENT)


def test_every_official_size_can_be_fetched_and_is_known_to_the_network() -> None:
    for one in OFFICIAL:
        assert Sam2Config.named(one.name).image_size == 1024
        assert re.fullmatch(r"[0-9a-f]{64}", one.sha256)
        assert one.url.endswith(f"{one.name}.pt")


def test_the_list_says_what_is_here(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SAM2_ROS_WEIGHTS", str(tmp_path))
    (tmp_path / "sam2_hiera_tiny.pt").touch()
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(OFFICIAL)
    assert [line.split()[0] for line in lines if " here " in line] == ["sam2_hiera_tiny"]
    assert main(["sam2_hiera_tiny"]) == 0
    assert "is here already" in capsys.readouterr().out
