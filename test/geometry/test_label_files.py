"""Label images from files: values, palettes, and what is none."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2_ros.geometry.label_files import UnreadableLabels, read_labels

LABELS = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], np.uint8)


def png(labels: np.ndarray, *chunks: tuple[bytes, bytes], depth: int = 8) -> bytes:
    """A PNG of indices; depth: bits of an index."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    bits = np.unpackbits(labels[..., None], axis=2)[..., 8 - depth :].reshape(len(labels), -1)
    lines = b"".join(b"\0" + np.packbits(line).tobytes() for line in bits)
    header = struct.pack(">IIBBBBB", labels.shape[1], labels.shape[0], depth, 3, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *(chunk(*one) for one in chunks), chunk(b"IDAT", zlib.compress(lines)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(np.uint16) * 300], ids=["8 bit", "16 bit"])
def test_the_values_of_one_channel(tmp_path: Path, labels: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), labels)
    read = read_labels(tmp_path / "a.png")
    assert read.dtype == labels.dtype
    np.testing.assert_array_equal(read, labels)


@pytest.mark.parametrize("depth", [2, 4, 8])
def test_the_indices_of_a_palette_even_where_colours_are_the_same(tmp_path: Path, depth: int) -> None:
    palette = bytes([10, 20, 30] * 2 + [200, 0, 0] * 2)
    (tmp_path / "a.png").write_bytes(png(LABELS, (b"PLTE", palette), depth=depth))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), LABELS)


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    data = png(LABELS, (b"PLTE", bytes(range(12))), (b"tRNS", b"\0\xff\xff\xff"))
    (tmp_path / "a.png").write_bytes(data)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), LABELS)


def test_what_is_no_label_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for content in (b"", b"no picture", png(LABELS, (b"PLTE", bytes(12)))[:50]):
        path.write_bytes(content)
        with pytest.raises(UnreadableLabels, match="a.png is not an image that OpenCV can read"):
            read_labels(path)
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UnreadableLabels, match="a.png has 3 channels; a label image has one, or a palette"):
        read_labels(path)
    with pytest.raises(OSError):
        read_labels(tmp_path / "b.png")


def test_a_picture_that_suggests_a_palette_is_no_label_image(tmp_path: Path) -> None:
    """Of 8 bits for each of three channels: a palette is of use there to who shows it with fewer colours."""
    data = cv2.imencode(".png", np.full((4, 5, 3), 10, np.uint8))[1].tobytes()
    palette = b"PLTE" + bytes(range(9))
    at = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", 9) + palette + struct.pack(">I", zlib.crc32(palette))
    (tmp_path / "picture.png").write_bytes(data[:at] + chunk + data[at:])
    with pytest.raises(UnreadableLabels, match="has 3 channels"):
        read_labels(tmp_path / "picture.png")
