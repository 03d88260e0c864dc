"""The page's web server: it sends each browser the newest picture that it can take, and passes on what it asks for."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import struct
from collections.abc import Callable, Coroutine, Mapping, Set
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
from aiohttp import WSMsgType, web
from rclpy.task import Future

from sam2_ros.geometry.colours import colour
from sam2_ros.msg import TrackedObject, TrackedObjects

from .client import NoTracker, Report, Seen, unseen
from .requests import BadMessage, to_request

_STATIC = Path(__file__).with_name("static")
_STATES = {TrackedObject.VISIBLE: "VISIBLE", TrackedObject.OCCLUDED: "OCCLUDED", TrackedObject.LOST: "LOST"}

_PATIENCE = 30.0
"""Seconds for the tracker to answer; a new object on an old image may take some."""

_LOOK = 1.0
"""Seconds between two looks at which cameras there are, and how they fare."""

_LIFE = 3.0
"""Seconds after which a browser is told so though nothing is new: it takes a connection that is silent for dead."""

_FINE = 64
"""Most points along a mask, as the page knows it: enough to tell what a pointer is on."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",  # no page of others may have this one clicked on
    "Cache-Control": "no-cache",
}


class Tracker(Protocol):
    """What the server needs of a tracker: `client.Client`."""

    @property
    def cameras(self) -> list[str]: ...

    def watch(self, cameras: Set[str]) -> None: ...

    def seen(self, camera: str) -> Seen: ...

    def report(self, camera: str) -> Report: ...

    def ask(self, service: str, request: Any) -> Future: ...


class Server:
    """Every browser is a viewer of one camera. All of it runs in one asyncio loop."""

    def __init__(self, tracker: Tracker, host: str) -> None:
        """host: which the server is bound to. A local one is open to pages of its own address alone."""
        self._tracker = tracker
        self._local = _is_local(host)
        self._viewers: list[Viewer] = []
        self.application = web.Application()
        self.application.router.add_get("/", self._index)
        self.application.router.add_get("/socket", self._socket)
        # Where colcon has installed links, each file is one.
        self.application.router.add_static("/static/", _STATIC, follow_symlinks=True)
        self.application.on_response_prepare.append(_add_headers)

    def changed(self, camera: str) -> None:
        """Tells those who watch a camera that there is a newer picture."""
        for viewer in self._viewers:
            if viewer.camera == camera:
                viewer.wake()

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_STATIC / "index.html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self._refuse_strangers(request)
        # A JPEG is compressed already.
        socket = web.WebSocketResponse(heartbeat=10.0, max_msg_size=2**16, compress=False)
        await socket.prepare(request)
        viewer = Viewer(socket, self._tracker, self._watch)
        self._viewers.append(viewer)
        try:
            await viewer.run()
        finally:
            self._viewers.remove(viewer)
            self._watch()
        return socket

    def _watch(self) -> None:
        """Watches those cameras that some viewer looks at."""
        self._tracker.watch({viewer.camera for viewer in self._viewers if viewer.camera is not None})

    def _refuse_strangers(self, request: web.Request) -> None:
        """Browsers let any page open a socket to any server; only our own page may."""
        host = request.headers.get("Host", "")
        try:
            origin = urlsplit(request.headers.get("Origin", "")).netloc
            # A foreign name may have been made to mean this machine.
            foreign = self._local and not _is_local(urlsplit(f"//{host}").hostname or "")
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"the request's Origin or Host is no address: {error}") from error
        if origin != host or foreign:
            raise web.HTTPForbidden(text=f"a page of {origin or 'nowhere'} may not steer the tracker at {host}")


class Viewer:
    """One browser."""

    def __init__(self, socket: web.WebSocketResponse, tracker: Tracker, moved: Callable[[], None]) -> None:
        """moved: called when it looks at another camera."""
        self.camera: str | None = None
        self._socket = socket
        self._tracker = tracker
        self._moved = moved
        self._newer = asyncio.Event()
        self._shown: int | None = None
        """Number of the camera's picture that was sent last; none has been since that camera is looked at."""
        self._ready = asyncio.Event()
        """Set while the browser has drawn what it was sent, so that pictures never queue."""
        self._ready.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There is a newer picture of its camera."""
        self._newer.set()

    async def run(self) -> None:
        """Until the browser leaves."""
        self._begin(self._send_state())
        self._begin(self._send_pictures())
        try:
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            for task in self._tasks:
                task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def until_gone() -> None:
            with contextlib.suppress(ConnectionResetError):  # the browser has left while it was spoken to
                await work

        task = asyncio.get_running_loop().create_task(until_gone())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, text: str) -> None:
        try:
            said = json.loads(text)
            kind = str(said["type"])
        except (ValueError, TypeError, KeyError, RecursionError):
            self._begin(self._answer({}, {"success": False, "message": "the page sent what cannot be read"}))
            return
        if kind == "shown":
            self._ready.set()
        elif kind == "camera":
            self._look_at(said.get("camera"))
        else:
            self._begin(self._ask(kind, self.camera or "", said))  # the one that is looked at now

    def _look_at(self, camera: object) -> None:
        if camera not in self._tracker.cameras:  # it has gone meanwhile
            return
        self.camera, self._shown = str(camera), None
        self._ready.set()
        self._moved()
        self._newer.set()

    async def _send_state(self) -> None:
        """Which cameras there are, and how the one that is looked at fares."""
        clock = asyncio.get_running_loop().time
        before, sent = None, 0.0
        while True:
            report = Report() if self.camera is None else self._tracker.report(self.camera)
            state = {"cameras": self._tracker.cameras, **asdict(report)}
            if state != before or clock() > sent + _LIFE:
                before, sent = state, clock()
                await self._socket.send_json({"type": "state", **state})
            await asyncio.sleep(_LOOK)

    async def _send_pictures(self) -> None:
        while True:
            await self._newer.wait()
            await self._ready.wait()
            self._newer.clear()
            if self.camera is None:
                continue
            seen = self._tracker.seen(self.camera)
            if not seen.jpeg or seen.number == self._shown:
                continue
            self._shown = seen.number
            self._ready.clear()
            await self._socket.send_bytes(to_bytes(self.camera, seen))

    async def _ask(self, service: str, camera: str, said: Mapping[str, Any]) -> None:
        try:
            response = await _wait_for(self._tracker.ask(service, to_request(service, camera, said)))
        except (BadMessage, NoTracker) as error:
            await self._answer(said, {"success": False, "message": str(error)})
        except asyncio.TimeoutError:
            message = f"the tracker did not answer within {_PATIENCE:g} s"
            await self._answer(said, {"success": False, "message": message})
        else:
            await self._answer(said, to_answer(response))

    async def _answer(self, said: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if not self._socket.closed:
            await self._socket.send_json({"type": "answer", "to": said.get("number"), **answer})


def to_bytes(camera: str, seen: Seen) -> bytes:
    """A picture and what is known of its objects: the length of a header as a little-endian uint32, the header as JSON,
    a JPEG."""
    known = [] if seen.objects is None else [_to_dict(tracked, seen.objects) for tracked in seen.objects.objects]
    header = json.dumps({"camera": camera, "stamp": seen.stamp, "objects": known}).encode()
    return struct.pack("<I", len(header)) + header + seen.jpeg


def to_answer(response: Any) -> dict[str, Any]:
    """What a browser is told of a service's response."""
    answer = {"success": response.success, "message": response.message}
    for field in ("object_id", "removed"):
        if hasattr(response, field):
            answer[field] = getattr(response, field)
    if hasattr(response, "candidates"):
        answer["areas"] = [candidate.area for candidate in response.candidates]
    return answer


def _to_dict(tracked: TrackedObject, objects: TrackedObjects) -> dict[str, Any]:
    place = tracked.pose.position
    return {
        "id": tracked.id,
        "label": tracked.label,
        "colour": "#{:02x}{:02x}{:02x}".format(*colour(tracked.id)),
        "state": _STATES.get(tracked.state, "?"),
        "visibility": _rounded(tracked.visibility),
        "quality": _rounded(tracked.mask_quality),
        "unseen": round(unseen(tracked, objects), 1),
        "place": [_rounded(place.x), _rounded(place.y), _rounded(place.z)] if tracked.has_pose else None,
        "no_place": tracked.no_pose,
        "area": tracked.area,
        "mask": _to_points(tracked),
    }


def _rounded(value: float) -> float:
    """0 for what JSON has no number for: a browser could read nothing of the picture then."""
    return round(value, 3) if math.isfinite(value) else 0.0


def _to_points(tracked: TrackedObject) -> dict[str, Any] | None:
    """Every so many pixels of an object's mask, in a browser's terms; None of an empty one.

    Where it begins, `x` and `y`, both pixels of the image, the `step`, and so many `columns` and `rows` of bits, row by
    row, the first one in the highest bit of its byte.
    """
    mask = tracked.mask
    if not mask.data:
        return None
    step = -(-max(mask.width, mask.height) // _FINE)
    points = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)[::step, ::step] > 0
    return {
        "x": tracked.box.x_offset,
        "y": tracked.box.y_offset,
        "step": step,
        "columns": points.shape[1],
        "rows": points.shape[0],
        "bits": base64.b64encode(np.packbits(points).tobytes()).decode(),
    }


async def _wait_for(future: Future) -> Any:
    """The result of a future of rclpy's, which is done in another thread. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(future.result())

    future.add_done_callback(lambda _: loop.call_soon_threadsafe(finish))
    try:
        return await asyncio.wait_for(done, _PATIENCE)
    finally:
        future.cancel()


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
