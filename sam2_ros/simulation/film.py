"""Writes a video file of images that come with stamps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


class Film:
    """H.264 in MP4, which ordinary players and browsers play. Images keep their places in time: where one is missing,
    the one before it stays."""

    def __init__(self, path: Path, rate: float) -> None:
        """rate: images per second. The file has its name once it is closed, if there were images. Raises OSError if it
        cannot be written."""
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self.count = 0
        """Images written."""
        self._rate = rate
        self._container = av.open(str(self._part), "w", format="mp4")
        self._stream: av.VideoStream | None = None
        self._first = 0
        self._last: NDArray[np.uint8] | None = None

    def add(self, stamp: int, image: NDArray[np.uint8]) -> None:
        """stamp: nanoseconds, rising. image: (H, W, 3) RGB, always of the same size."""
        # H.264 with halved colour resolution wants even sizes.
        image = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if self._stream is None:
            self._stream, self._first = self._begin(*image.shape[:2]), stamp
        place = round((stamp - self._first) * 1e-9 * self._rate)
        while self._last is not None and self.count < place:
            self._write(self._stream, self._last)
        self._last = image
        if self.count <= place:
            self._write(self._stream, image)

    def _begin(self, height: int, width: int) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=Fraction(self._rate).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        # The processor belongs to the tracker.
        stream.thread_count = 1
        return stream

    def close(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
        if self.count:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)

    def _write(self, stream: av.VideoStream, image: NDArray[np.uint8]) -> None:
        self._container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        self.count += 1
