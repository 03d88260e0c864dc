"""A tracker that notes what it is asked for, the page's process, and a browser, which speak over DDS and HTTP."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, RegionOfInterest
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from sam2_ros import transport
from sam2_ros.msg import TrackedObject, TrackedObjects
from sam2_ros.ros.compressed import encode
from sam2_ros.ros.images import to_message
from sam2_ros.srv import Prompt, RemoveObject, UndoPrompt

try:
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
except ModuleNotFoundError:
    DiagnosticArray = None

PATIENCE = 60.0  # seconds; the machine of a test may be busy
CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")


def until(get: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Waits for the first value that is true."""
    end = time.monotonic() + patience
    while not (value := get()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


class Tracker(Node):
    """Answers as the node `sam2` would, with an object for each prompt of a new one."""

    def __init__(self, context: Context) -> None:
        super().__init__("sam2", context=context)
        self._outputs: dict[str, tuple[Any, Any]] = {}
        """Publishers of objects and overlay, by camera."""
        self.add_camera("")
        self._diagnostics = DiagnosticArray and self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.asked: list[Any] = []
        self.objects: dict[int, str] = {}
        """Their names, by id."""
        self.boxes: dict[int, tuple[int, int, int, int]] = {}
        """x, y, width and height of those that have a mask, all of a box."""
        self.prompts: Counter[int] = Counter()
        """How many they have had, by id."""
        self.refuses = ""
        self.takes = 0.0
        """Seconds for an answer."""
        self.state = TrackedObject.VISIBLE
        self.breaks = False
        """Whether pictures are broken."""
        self.shown = Time()
        """The stamp of the newest picture."""
        self.history: float | None = None
        """Seconds, as /diagnostics says; None: it says nothing."""
        self._last = 0
        for kind, name, answer in (
            (Prompt, "prompt", self._prompt),
            (UndoPrompt, "undo", self._undo),
            (RemoveObject, "remove_object", self._remove),
            (Trigger, "reset", self._reset),
            (SetBool, "enable", self._enable),
        ):
            self.create_service(kind, f"~/{name}", answer)

    @property
    def watchers(self) -> int:
        return sum(int(overlay.get_subscription_count()) for _, overlay in self._outputs.values())

    def add_camera(self, name: str) -> None:
        newest, base = QoSProfile(depth=1), f"~/{name}" if name else "~"
        self._outputs[name] = (
            self.create_publisher(TrackedObjects, f"{base}/objects", newest),
            self.create_publisher(CompressedImage, f"{base}/overlay/compressed", newest),
        )

    def remove_camera(self, name: str) -> None:
        for publisher in self._outputs.pop(name):
            self.destroy_publisher(publisher)

    def show(self, seconds: int) -> None:
        """Publishes a picture with this stamp, whose grey says it, and the objects, for each camera."""
        self.shown = Time(sec=seconds, nanosec=7)
        header = Header(stamp=self.shown, frame_id="optical")
        picture = np.full((240, 320, 3), seconds % 250, np.uint8)
        last = Time(sec=seconds if self.state == TrackedObject.VISIBLE else seconds - 4)
        objects = TrackedObjects(
            header=header,
            height=picture.shape[0],
            width=picture.shape[1],
            objects=[
                TrackedObject(
                    id=number,
                    label=label,
                    state=self.state,
                    visibility=0.9,
                    last_seen=last,
                    **self._mask(number, header),
                )
                for number, label in list(self.objects.items())  # another thread answers
            ],
        )
        message = encode(picture, header)
        if self.breaks:
            message.data = b"no JPEG"
        for name, (told, overlay) in list(self._outputs.items()):
            told.publish(objects)
            overlay.publish(message)
            self._report(name or "camera")

    def _report(self, camera: str) -> None:
        if self._diagnostics is None:
            return
        numbers = {} if self.history is None else {"history (s)": f"{self.history:.2f}"}
        values = [KeyValue(key=key, value=value) for key, value in numbers.items()]
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name=f"sam2: {camera}", values=values)
        self._diagnostics.publish(DiagnosticArray(status=[status]))

    def _mask(self, number: int, header: Header) -> dict[str, Any]:
        if number not in self.boxes:
            return {}
        x, y, width, height = self.boxes[number]
        box = RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height)
        mask = to_message(np.full((height, width), 255, np.uint8), "mono8", header)
        return {"box": box, "mask": mask, "area": width * height}

    def _note(self, request: Any, response: Any) -> bool:
        self.asked.append(request)
        time.sleep(self.takes)
        response.success, response.message = not self.refuses, self.refuses
        return bool(response.success)

    def _prompt(self, request: Any, response: Any) -> Any:
        if self._note(request, response):
            if not request.object_id:
                self._last += 1
            response.object_id = request.object_id or self._last
            self.objects[response.object_id] = request.label or self.objects.get(response.object_id, "")
            self.prompts[response.object_id] += bool(request.points or request.box)
            if len(request.points) == 1:
                response.candidates = [TrackedObject(area=area) for area in (100, 250, 40)]
        return response

    def _undo(self, request: Any, response: Any) -> Any:
        if self._note(request, response):
            self.prompts[request.object_id] -= 1
            response.removed = self.prompts[request.object_id] == 0
            if response.removed:
                self.objects.pop(request.object_id)
        return response

    def _remove(self, request: Any, response: Any) -> Any:
        if self._note(request, response):
            self.objects.pop(request.object_id)
        return response

    def _reset(self, request: Any, response: Any) -> Any:
        if self._note(request, response):
            self.objects.clear()
        return response

    def _enable(self, request: Any, response: Any) -> Any:
        self._note(request, response)
        return response


@pytest.fixture(scope="session", name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(random.randint(1, 100)))
        patch.setenv(transport.VARIABLE, transport.LARGE_SEGMENT)
        context = Context()
        rclpy.init(context=context)
        yield context
        context.try_shutdown()


@pytest.fixture(scope="module")
def tracker(context: Context) -> Iterator[Tracker]:
    tracker = Tracker(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(tracker)

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    spinner = threading.Thread(target=spin, daemon=True)
    spinner.start()
    yield tracker
    executor.shutdown()
    spinner.join()
    tracker.destroy_node()


@pytest.fixture(scope="module")
def address() -> str:
    """That nobody has taken."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def url(context: Context, address: str) -> Iterator[str]:
    """Where the page is served, by a process of its own."""
    page = subprocess.Popen(
        [sys.executable, "-m", "sam2_ros", "page", "--address", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "RCUTILS_COLORIZED_OUTPUT": "0"},
    )
    first = page.stdout.readline()
    assert f"the page of /sam2 is at http://{address}" in first
    yield f"http://{address}"
    page.terminate()
    said, _ = page.communicate(timeout=PATIENCE)
    assert (page.returncode, said) == (0, "")


@pytest.fixture(scope="session")
def open_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Opens Chromium, without a window, with a size; it is closed at the end."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed: sudo apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    opened = []

    def open_browser(width: int = 1280, height: int = 800) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (
            "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
            "disable-component-update", "disable-sync", "no-first-run", f"window-size={width},{height}",
            f"user-data-dir={tmp_path_factory.mktemp('browser')}",
        ):  # fmt: skip
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        opened.append(webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER)))
        return opened[-1]

    yield open_browser
    for browser in opened:
        browser.quit()
