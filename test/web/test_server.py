"""The page's server, spoken to by HTTP as a browser would, or as one that means harm."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Awaitable, Callable, Set
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from builtin_interfaces.msg import Time
from rclpy.task import Future
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from sam2_ros.msg import TrackedObject, TrackedObjects
from sam2_ros.ros.images import to_message
from sam2_ros.srv import Prompt
from sam2_ros.web import server as module
from sam2_ros.web.client import NoTracker, Report, Seen
from sam2_ros.web.server import Server


class Tracker:
    """Says what it is given to say."""

    def __init__(self, *cameras: str) -> None:
        self.cameras = list(cameras)
        self.watched: set[str] = set()
        self.pictures: dict[str, Seen] = {}
        self.reports: dict[str, Report] = {}
        self.asked: list[tuple[str, Any]] = []
        self.response: Any = Prompt.Response(success=True, object_id=3)

    def watch(self, cameras: Set[str]) -> None:
        self.watched = set(cameras)

    def seen(self, camera: str) -> Seen:
        return self.pictures.get(camera, Seen())

    def report(self, camera: str) -> Report:
        return self.reports.get(camera, Report())

    def ask(self, service: str, request: Any) -> Future:
        if self.response is None:
            raise NoTracker("there is no tracker /sam2")
        self.asked.append((service, request))
        future = Future()
        if self.response is not Ellipsis:  # which never comes
            future.set_result(self.response)
        return future


def talk(
    tracker: Tracker, conversation: Callable[[TestClient, Server], Awaitable[None]], host: str = "localhost"
) -> None:
    async def run() -> None:
        server = Server(tracker, host)
        async with TestClient(TestServer(server.application)) as client:
            await asyncio.wait_for(conversation(client, server), 20)

    asyncio.run(run())


async def enter(client: TestClient, **headers: str) -> aiohttp.ClientWebSocketResponse:
    own = f"http://{client.host}:{client.port}"
    return await client.ws_connect("/socket", headers={"Origin": own, **headers})


async def answer(socket: aiohttp.ClientWebSocketResponse, said: str | dict[str, Any]) -> dict[str, Any]:
    await socket.send_str(said if isinstance(said, str) else json.dumps(said))
    while (heard := await socket.receive_json())["type"] != "answer":
        pass
    return heard


def picture(number: int, objects: TrackedObjects | None = None) -> Seen:
    return Seen(number, (number, 5), f"picture {number}".encode(), objects)


def read(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def test_the_page_and_its_parts_are_served() -> None:
    async def conversation(client: TestClient, server: Server) -> None:
        for path, kind in (("/", "html"), ("/static/page.js", "javascript"), ("/static/page.css", "css")):
            response = await client.get(path)
            assert response.status == 200 and response.content_type.endswith(kind)
            # No script of anybody else's.
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/server.py"):
            assert (await client.get(path)).status == 404

    talk(Tracker(""), conversation)


def test_the_parts_are_served_also_where_each_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As colcon's --symlink-install has it."""
    for part in module._STATIC.iterdir():
        (tmp_path / part.name).symlink_to(part)
    monkeypatch.setattr(module, "_STATIC", tmp_path)

    async def conversation(client: TestClient, server: Server) -> None:
        for path in ("/", "/static/page.js", "/static/page.css"):
            assert (await client.get(path)).status == 200
        for path in ("/static/../server.py", "/static/%2e%2e/server.py"):
            assert (await client.get(path)).status == 404

    talk(Tracker(""), conversation)


@pytest.mark.parametrize(
    ("headers", "host", "enters"),
    [
        ({}, "localhost", True),
        ({"Origin": "http://elsewhere.example"}, "localhost", False),
        ({"Origin": "null"}, "localhost", False),
        # A name of theirs that is made to mean this machine.
        ({"Origin": "http://elsewhere.example", "Host": "elsewhere.example"}, "localhost", False),
        ({"Origin": "http://robot:8080", "Host": "robot:8080"}, "127.0.0.1", False),
        ({"Origin": "http://robot:8080", "Host": "robot:8080"}, "0.0.0.0", True),
        ({"Origin": "http://localhost:1234", "Host": "localhost:1234"}, "::1", True),
        ({"Origin": "http://[bad", "Host": "localhost"}, "localhost", False),
    ],
)
def test_pages_of_others_may_not_steer_the_tracker(headers: dict[str, str], host: str, enters: bool) -> None:
    async def conversation(client: TestClient, server: Server) -> None:
        if enters:
            await enter(client, **headers)
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await enter(client, **headers)
            assert refused.value.status == (400 if "[" in headers["Origin"] else 403)

    talk(Tracker(""), conversation, host)


def test_a_slow_browser_gets_the_newest_picture_and_none_queues() -> None:
    tracker = Tracker("")

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        assert await socket.receive_json() == {
            "type": "state", "cameras": [""], "paused": None, "problem": "", "history": None,
        }  # fmt: skip
        assert tracker.watched == set()
        await socket.send_json({"type": "camera", "camera": ""})
        tracker.pictures[""] = picture(1)
        while tracker.watched != {""}:
            await asyncio.sleep(0.01)
        for number in range(1, 6):
            tracker.pictures[""] = picture(number)
            server.changed("")
            await asyncio.sleep(0.02)
        header, jpeg = read(await socket.receive_bytes())
        assert header == {"camera": "", "stamp": [1, 5], "objects": []} and jpeg == b"picture 1"
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive_bytes(timeout=0.2)
        await socket.send_json({"type": "shown"})
        assert read(await socket.receive_bytes())[1] == b"picture 5"
        await socket.close()
        while tracker.watched:
            await asyncio.sleep(0.01)

    talk(tracker, conversation)


def test_each_browser_looks_at_a_camera_of_its_own() -> None:
    tracker = Tracker("front", "wrist")

    async def conversation(client: TestClient, server: Server) -> None:
        first, second = await enter(client), await enter(client)
        for socket, camera in ((first, "front"), (second, "wrist")):
            assert (await socket.receive_json())["cameras"] == ["front", "wrist"]
            await socket.send_json({"type": "camera", "camera": camera})
        while tracker.watched != {"front", "wrist"}:
            await asyncio.sleep(0.01)
        tracker.pictures = {"front": picture(1), "wrist": picture(2)}
        for camera in ("front", "wrist"):
            server.changed(camera)
        assert read(await first.receive_bytes())[0]["camera"] == "front"
        assert read(await second.receive_bytes())[0]["camera"] == "wrist"
        assert (await answer(second, {"type": "undo", "id": 4, "number": 1}))["success"]
        assert tracker.asked[0][1].camera == "wrist"
        await second.send_json({"type": "camera", "camera": "no such"})
        assert (await answer(second, {"type": "undo", "id": 4, "number": 2}))["success"]
        assert tracker.watched == {"front", "wrist"}

    talk(tracker, conversation)


def test_a_request_is_for_the_camera_that_was_looked_at_when_it_was_sent() -> None:
    tracker = Tracker("front", "wrist")

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        await socket.send_json({"type": "camera", "camera": "front"})
        for said in ({"type": "remove_object", "id": 7, "number": 1}, {"type": "camera", "camera": "wrist"}):
            await socket.send_json(said)  # nothing of the server runs between
        while not tracker.asked or tracker.watched != {"wrist"}:
            await asyncio.sleep(0.01)
        assert tracker.asked[0][1].camera == "front"

    talk(tracker, conversation)


def test_who_comes_back_to_a_camera_gets_the_picture_that_stands_there() -> None:
    tracker = Tracker("front", "wrist")
    tracker.pictures["front"] = picture(1)

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        assert (await socket.receive_json())["cameras"] == ["front", "wrist"]
        for camera in ("front", "wrist", "front"):
            await socket.send_json({"type": "camera", "camera": camera})
            while tracker.watched != {camera}:
                await asyncio.sleep(0.01)
            if camera == "front":
                assert read(await socket.receive_bytes())[1] == b"picture 1"
                await socket.send_json({"type": "shown"})

    talk(tracker, conversation)


def test_cameras_that_come_later_are_told_and_how_they_fare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)
    tracker = Tracker()

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        assert (await socket.receive_json())["cameras"] == []
        tracker.cameras = [""]
        assert (await socket.receive_json())["cameras"] == [""]
        await socket.send_json({"type": "camera", "camera": ""})
        tracker.reports[""] = Report(paused=True, problem="no image on /camera", history=1.5)
        told = await socket.receive_json()
        assert (told["paused"], told["problem"], told["history"]) == (True, "no image on /camera", 1.5)

    talk(tracker, conversation)


def test_a_browser_hears_that_the_server_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)
    monkeypatch.setattr(module, "_LIFE", 0.05)

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        first, second = await socket.receive_json(), await socket.receive_json()
        assert first == second

    talk(Tracker(), conversation)


def test_what_is_no_number_is_told_in_terms_that_a_browser_can_read() -> None:
    tracked = TrackedObject(id=1, visibility=float("nan"), mask_quality=float("inf"), has_pose=True)
    tracked.pose.position.x = float("-inf")
    data = module.to_bytes("", Seen(jpeg=b"picture", objects=TrackedObjects(objects=[tracked])))
    (length,) = struct.unpack("<I", data[:4])
    (told,) = json.loads(data[4 : 4 + length], parse_constant=pytest.fail)["objects"]
    assert (told["visibility"], told["quality"], told["place"][0]) == (0, 0, 0)


def test_what_is_told_of_an_object() -> None:
    tracked = TrackedObject(id=1, label="mug", state=TrackedObject.LOST, visibility=0.25, last_seen=Time(sec=8))
    tracked.has_pose = True
    tracked.pose.position.z = 0.75
    objects = TrackedObjects(header=Header(stamp=Time(sec=10, nanosec=500_000_000)), objects=[tracked])
    header, _ = read(module.to_bytes("front", picture(1, objects)))
    (told,) = header["objects"]
    assert told == {
        "id": 1, "label": "mug", "colour": "#38b7ff", "state": "LOST", "visibility": 0.25, "quality": 0.0,
        "unseen": 2.5, "place": [0.0, 0.0, 0.75], "no_place": "", "area": 0, "mask": None,
    }  # fmt: skip


@pytest.mark.parametrize(("width", "height", "step"), [(20, 30, 1), (64, 3, 1), (300, 65, 5)])
def test_where_an_object_is(width: int, height: int, step: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (height, width), np.uint8) * np.uint8(255)
    tracked = TrackedObject(id=1, mask=to_message(pixels, "mono8", Header()))
    tracked.box = RegionOfInterest(x_offset=7, y_offset=9, width=width, height=height)
    header, _ = read(module.to_bytes("", picture(1, TrackedObjects(objects=[tracked]))))
    mask = header["objects"][0]["mask"]
    assert (mask["x"], mask["y"], mask["step"]) == (7, 9, step)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(mask["bits"]), np.uint8))
    for row in range(mask["rows"]):
        for column in range(mask["columns"]):
            assert bits[row * mask["columns"] + column] == (pixels[row * step, column * step] > 0)
    assert (mask["columns"] - 1) * step < width <= mask["columns"] * step
    assert (mask["rows"] - 1) * step < height <= mask["rows"] * step


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("no JSON", "the page sent what cannot be read"),
        ('{"type": []}', "the page asked for '[]'"),
        ("[]", "the page sent what cannot be read"),
        ('{"type": "format"}', "the page asked for 'format', which is none of prompt, undo"),
        ('{"type": "undo"}', "the page sent a undo that cannot be read: KeyError('id')"),
        ('{"type": "undo", "id": -1}', "-1 is not from 0 to 4294967295"),
        ('{"type": "prompt", "points": [[1, 2]]}', "cannot be read"),
        ('{"type": "prompt", "points": [[1, 2, 5]]}', "5 is not from 0 to 1"),
        ('{"type": "prompt", "box": [1, 2, 3]}', "0 points and 3 edges of a box"),
        ('{"type": "prompt", "stamp": [1, 1000000000]}', "1000000000 is not from 0 to 999999999"),
        ('{"type": "prompt", "points": 7}', "cannot be read"),
        ('{"type": "prompt", "label": "\\ud800"}', "cannot be read"),
        (20000 * "[", "the page sent what cannot be read"),
    ],
)
def test_what_is_no_message_of_the_page(said: str, sentence: str) -> None:
    tracker = Tracker("")

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        refused = await answer(socket, said)
        assert not refused["success"] and sentence in refused["message"]
        assert tracker.asked == []
        assert (await answer(socket, {"type": "reset", "number": 1}))["success"]

    talk(tracker, conversation)


def test_a_tracker_that_is_not_there_or_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    tracker = Tracker("")

    async def conversation(client: TestClient, server: Server) -> None:
        socket = await enter(client)
        for response, sentence in (
            (None, "there is no tracker /sam2"),
            (Ellipsis, "the tracker did not answer within 0.05 s"),
        ):
            tracker.response = response
            refused = await answer(socket, {"type": "reset", "number": 9})
            assert refused == {"type": "answer", "to": 9, "success": False, "message": sentence}

    talk(tracker, conversation)
