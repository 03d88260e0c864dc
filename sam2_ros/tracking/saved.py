"""One object's memory as bytes, to be kept in a file or handed to another tracker."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from sam2_ros.geometry.histogram import BINS, Colours
from sam2_ros.geometry.search_region import SearchRegion

from .appearance import Appearance
from .errors import BadMemory
from .memory import Remembered
from .visibility import View

_VERSION = 3
_KIND = "sam2_ros object memory"

LONGEST_LABEL = 200
"""Characters of an object's name, which goes out with every image."""

_LARGEST = 1e6
"""Of a memory's numbers; with much larger ones the network's answers would be no numbers."""

_LONGEST = 2**31 * 10**9
"""Nanoseconds that an object may have been out of view: a message's time can hold no more."""

_UNKNOWN = -10.0
"""Object score logit of an object until it is searched for; it is not saved."""


@dataclass(frozen=True)
class SavedObject:
    """An object as it was on its newest frame."""

    remembered: Remembered
    """What the next frame would see of it."""
    view: View
    """Its time counts from that frame: `last_seen` is not above 0. What it looks like from close by is not saved."""


@dataclass(frozen=True)
class Origin:
    """What a memory can be used with."""

    fingerprint: str
    """Of the network."""
    size: int
    """Edge of the network's input in pixels."""


def pack(saved: SavedObject, origin: Origin, label: str = "") -> bytes:
    """A safetensors file's content; the same object always gives the same bytes. label: for who reads the file."""
    remembered, view = saved.remembered, saved.view
    facts = {
        **asdict(origin),
        "version": _VERSION,
        "label": label,
        "ages": remembered.ages,
        "conditioning": remembered.conditioning,
        "in_view": view.in_view,
        "unseen": -view.last_seen,
        "share": view.share,
        "region": {"x": view.region.x, "y": view.region.y, "scale": view.region.scale},
    }
    tensors = {"memories": remembered.memories.contiguous().cpu(), "pointers": remembered.pointers.contiguous().cpu()}
    if view.expected is not None:
        tensors["expected"] = torch.from_numpy(view.expected)
    if view.appearance is not None:
        tensors["colours"] = torch.from_numpy(np.stack([one.shares for one in view.appearance.prompted]))
        facts["extent"] = view.appearance.share
    # One entry, since safetensors writes several in any order.
    return bytes(save(tensors, metadata={_KIND: json.dumps(facts)}))


def unpack(data: bytes, origin: Origin, device: torch.device) -> SavedObject:
    """What `pack` was given, but for the object score logit. Raises BadMemory, which says what does not fit."""
    tensors, facts = _read(data)
    for key, name, wanted in (
        ("version", "version of the format", _VERSION),
        ("fingerprint", "network with the fingerprint", origin.fingerprint),
        ("size", "input size", origin.size),
    ):
        if facts.get(key) != wanted:
            raise BadMemory(f"the memory is of the {name} {facts.get(key)}; this tracker has {wanted}")
    try:
        memories, pointers = (tensors[name].to(device) for name in ("memories", "pointers"))
        for name, tensor in (("memories", memories), ("pointers", pointers)):
            if not tensor.dim() or not (tensor.float().abs() < _LARGEST).all():
                raise ValueError(f"its {name} are not rows of numbers below {_LARGEST:g}")
        remembered = Remembered(memories, pointers, tuple(map(int, facts["ages"])), int(facts["conditioning"]))
        x, y, scale = (float(facts["region"][name]) for name in ("x", "y", "scale"))
        expected = tensors["expected"].bool().numpy() if "expected" in tensors else None
        appearance = _appearance(tensors["colours"], facts["extent"]) if "colours" in tensors else None
        in_view, unseen, share = bool(facts["in_view"]), int(facts["unseen"]), float(facts["share"])
        if not (0 <= unseen <= _LONGEST and 0 <= share <= 1):
            raise ValueError(f"unseen is {unseen} ns and share {share:g}")
        region = SearchRegion(x, y, scale)
        view = View(in_view, -unseen, share, _UNKNOWN, region, expected, appearance=appearance)
        return SavedObject(remembered, view)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise BadMemory(f"the memory is incomplete: {error}") from error


def _appearance(colours: Tensor, share: Any) -> Appearance:
    """Raises ValueError."""
    shares = colours.float().numpy()
    rows = shares.ndim == 2 and shares.shape[1] == BINS and len(shares) > 0
    if not rows or not (shares >= 0).all() or not (np.abs(shares.sum(axis=1) - 1) < 0.01).all():
        raise ValueError(f"its colours are {shares.shape}; they must be rows of {BINS} shares of 1")
    if not 0 < float(share) <= 1:
        raise ValueError(f"its extent is {share}; it must be above 0 and at most 1")
    return Appearance(tuple(Colours(row) for row in shares), float(share))


def label_of(data: bytes) -> str:
    """The label that `pack` was given. Raises BadMemory."""
    _, facts = _read(data)
    # JSON can hold half of a character, which nobody else could take, and much that no name is.
    label = str(facts.get("label", ""))[:LONGEST_LABEL].encode(errors="replace").decode()
    return "".join(one for one in label if one.isprintable())


def _read(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        tensors = load(data)
        # The header is preceded by its length; safetensors' reader of bytes does not give out its metadata.
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, RecursionError) as error:
        raise BadMemory(f"these {len(data)} bytes are no safetensors file: {error}") from error
    try:
        return tensors, dict(json.loads(header["__metadata__"][_KIND]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadMemory("this is a safetensors file, but not one that holds an object's memory") from error
