"""What `make page` runs, clicked on: camera, tracker with nano, page and browser."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

by = pytest.importorskip("selenium.webdriver.common.by", reason="selenium is not installed").By
from selenium.webdriver import ActionChains  # noqa: E402

PATIENCE = 120.0  # seconds; the machine of a test may be busy
WIDTH, HEIGHT = 320, 240
RED = (220, 30, 30)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc that goes to and fro before a green wall."""
    folder = tmp_path_factory.mktemp("film")
    noise = np.random.default_rng(0).integers(-12, 12, (HEIGHT, WIDTH, 1))
    for number in range(40):
        image = np.clip(np.full((HEIGHT, WIDTH, 3), (70, 140, 80)) + noise, 0, 255).astype(np.uint8)
        x = round(160 + 60 * np.sin(2 * np.pi * number / 40))
        cv2.circle(image, (x, 120), 35, RED, cv2.FILLED, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{number:03}.png"), image[..., ::-1])
    return folder


@pytest.fixture
def demo(film: Path, address: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The process, the page's address, and the lines that are printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sam2_ros", "demo", "--page", address, "--video", str(film), "--rate", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "ROS_DOMAIN_ID": str(random.randint(1, 100))},
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    yield process, f"http://{address}", lines
    process.terminate()  # not killed, or what it has started would stay
    try:
        process.wait(30)
    finally:
        process.kill()
        reader.join(10)


def _find(browser: Any) -> tuple[float, float] | None:
    """Where the disc is on the picture that is shown, as a share of its size from the middle."""
    script = """
        const canvas = document.getElementById("picture"), {width, height} = canvas;
        if (!shown) return null;
        return [width, height, ...canvas.getContext("2d").getImageData(0, 120, width, 1).data];
    """
    answer = browser.execute_script(script)
    if answer is None:
        return None
    width, _, *values = answer
    row = np.array(values).reshape(width, 4)[:, :3].astype(int)
    (columns,) = np.nonzero(np.abs(row - RED).sum(axis=1) < 60)
    return (columns.mean() / width - 0.5, 120 / HEIGHT - 0.5) if len(columns) else None


def _until(get: Any, lines: list[str]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (value := get()):
        assert time.monotonic() < end, f"waited in vain:\n{''.join(lines)}"
        time.sleep(0.05)
    return value


def test_what_is_clicked_is_tracked(demo: Any, open_browser: Any) -> None:
    process, url, lines = demo
    _until(lambda: any(f"the page of /sam2 is at {url}" in line for line in lines), lines)
    browser = open_browser()
    browser.get(url)
    # On a busy machine the driver returns before the scripts have run.
    _until(lambda: browser.execute_script("return document.readyState") == "complete", lines)
    place = _until(lambda: _find(browser), lines)
    canvas = browser.find_element(by.ID, "picture")
    size = canvas.size
    ActionChains(browser).move_to_element_with_offset(
        canvas, round(place[0] * size["width"]), round(place[1] * size["height"])
    ).click().perform()

    row = _until(lambda: browser.find_elements(by.CSS_SELECTOR, "#objects li"), lines)[0]
    _until(lambda: "visible" in row.text, lines)
    # Filled with the object's blue, the disc is red no more, wherever it goes.
    for _ in range(4):
        _until(lambda: _find(browser) is None, lines)
        time.sleep(0.5)
    assert len(browser.find_elements(by.CSS_SELECTOR, "#objects li")) == 1

    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    _until(lambda: browser.find_element(by.ID, "status").text == "the server is gone; trying again", lines)
    assert "Traceback" not in "".join(lines)
