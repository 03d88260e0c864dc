"""Every parameter of the node: its name, type, default, range and meaning, in this one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

_LATER = "takes effect when the node is configured again"


class ParameterError(ValueError):
    """A parameter with a value that cannot be used; the message names both and what would be right."""


def _parameter(default: Any, description: str, limits: tuple[float, float] | None = None, **metadata: Any) -> Any:
    """limits: smallest and largest value, for a number. choices=(...): the values that a text may have.

    live=True: a change takes effect at once. fixed=True: it cannot be changed while the node runs.
    """
    return field(default=default, metadata={"description": description, "limits": limits, **metadata})


@dataclass(frozen=True)
class Parameters:
    """The node's parameters. Most are read when the node is configured. Raises ParameterError for a bad value."""

    cameras: tuple[str, ...] = _parameter(
        ("",),
        "names of the cameras, under which their topics stand; the one camera [''] has its topics under none",
        fixed=True,
    )
    autostart: bool = _parameter(
        True, "configure and activate at start; false leaves both to a lifecycle manager", fixed=True
    )
    model: str = _parameter(
        "nano",
        "nano, the name of an official model such as sam2.1_hiera_tiny, the path of a .pt or .safetensors file, or, "
        "with target_rate, auto: the best SAM 2.1 model whose weights are here and that is quick enough",
    )
    device: str = _parameter("auto", "what PyTorch computes on: auto (the GPU if there is one), cpu, cuda or cuda:N")
    dtype: str = _parameter(
        "auto",
        "type to compute in: float32, bfloat16, or auto: bfloat16 on a GPU and, except nano, on a CPU faster with it",
        choices=("auto", "float32", "bfloat16"),
    )
    compile: bool = _parameter(
        False,
        "have torch.compile translate the network, which is quicker then; needs a C++ compiler, on a GPU Triton, and a "
        "minute or two the first time; target_rate's trials are made without it",
    )
    threads: int = _parameter(
        0,
        "CPU threads that PyTorch computes with; 0: as many as it chooses, and one for nano, which is as quick",
        (0, 256),
    )
    image_size: int = _parameter(
        0,
        "pixels, edge of the square that an image is resized to, a multiple of 32; 0: the model's own, or what keeps "
        "up with target_rate",
        (0, 4096),
    )
    target_rate: float = _parameter(
        0.0,
        "images a second of each camera to keep up with; when it is configured, the node tries sizes from the model's "
        "own down to half of that, and takes the largest that is quick enough with three objects; 0: no trial",
        (0.0, 1000.0),
    )
    capacity: int = _parameter(8, "objects that can be tracked at a time; their memory is set aside at once", (1, 256))
    conditioning_frames: int = _parameter(
        4, "prompted images that an object remembers: its first for ever, then its latest corrections", (1, 64)
    )
    corrections_condition: bool = _parameter(
        True, "remember a correction as a prompted image, as in SAM 2's training; false as in the original's predictor"
    )
    history: float = _parameter(
        2.0,
        "seconds for which a prompt may come late, at 30 images a second; the features of so many images are kept, so "
        "that at a higher rate it is less",
        (0.0, 60.0),
    )
    show_above: float = _parameter(
        0.5, "probability above which an object comes into view; SAM 2 itself has 0.5", (0.0, 1.0), live=True
    )
    hide_below: float = _parameter(
        0.4,
        "probability at which an object in view goes out of it, at most show_above; SAM 2 itself has 0.5",
        (0.0, 1.0),
        live=True,
    )
    non_overlap: bool = _parameter(False, "give each pixel to one object at most", live=True)
    lost_after: float = _parameter(
        5.0, "seconds out of view after which an occluded object is lost", (0.0, 86400.0), live=True
    )
    search_every: int = _parameter(
        1, "an object out of view is searched for on every so many images; 1, as SAM 2 does, finds it soonest", (1, 100)
    )
    image_transport: str = _parameter(
        "raw",
        "how images come: raw, or compressed from <image>/compressed; a topic that ends so is taken as compressed",
        choices=("raw", "compressed"),
    )
    reliability: str = _parameter(
        "best_effort",
        "QoS of the subscriptions to images, depth and camera_info: best_effort fits every camera; reliable only those "
        "that publish all of them reliably",
        choices=("best_effort", "reliable"),
    )
    depth: bool = _parameter(
        False, "say where objects are in space, by a depth image that is registered to each image, and camera_info"
    )
    depth_transport: str = _parameter(
        "raw",
        "how depth comes: raw, or in <depth>/compressedDepth or <depth>/compressed; a topic that ends so is taken so",
        choices=("raw", "compressedDepth", "compressed"),
    )
    depth_tolerance: float = _parameter(
        0.02, "seconds that the stamps of an image and of its depth image may be apart", (0.0, 1.0)
    )
    depth_wait: float = _parameter(
        0.02,
        "seconds to wait for the depth image of an image that has been tracked; one more is tracked meanwhile, at most",
        (0.0, 1.0),
    )
    rectification: str = _parameter(
        "auto",
        "whether the images still have the lens's distortion: raw (K and D of camera_info hold), rectified (P holds), "
        "or auto: rectified if a word of their topic is rect, rectified or undistorted",
        choices=("auto", "raw", "rectified"),
    )
    object_frames: bool = _parameter(
        False, "publish a tf frame object_<id> in the middle of each located object", live=True
    )
    overlay_opacity: float = _parameter(0.4, "of the objects' fills in the overlay, 0 to 1", (0.0, 1.0), live=True)

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check(entry, getattr(self, entry.name))
        if self.image_size % 32:
            raise ParameterError(f"the parameter image_size is {self.image_size}; it must be 0 or a multiple of 32")
        if self.model == "auto" and not self.target_rate:
            raise ParameterError("the parameter model is 'auto'; that needs target_rate, the images a second to reach")
        if self.hide_below > self.show_above:
            raise ParameterError(
                f"the parameter hide_below is {self.hide_below:g} and show_above {self.show_above:g}; the first must "
                "not be above the second"
            )
        _check_cameras(self.cameras)


def declare(node: Node) -> list[str]:
    """Declares all of them on a node, with the values given on the command line or in a file.

    The node must have been made with automatically_declare_parameters_from_overrides: that shows which names were
    given that are no parameters, and those are returned. Raises ParameterError.
    """
    given = set(node.get_parameters_by_prefix(""))
    values: dict[str, Any] = {
        entry.name: _of_type(entry, node.get_parameter(entry.name).value) if entry.name in given else entry.default
        for entry in fields(Parameters)
    }
    Parameters(**values)
    for entry in fields(Parameters):
        if entry.name in given:
            node.undeclare_parameter(entry.name)
        node.declare_parameter(entry.name, values[entry.name], _descriptor(entry), ignore_override=True)
    rclpys_own = {"use_sim_time", "start_type_description_service"}
    return sorted(given - {entry.name for entry in fields(Parameters)} - rclpys_own)


def without_value(node: Node) -> ParameterError:
    """The error of a parameter that was given as an empty list, which rclpy refuses without its name.

    node: one on which none is declared.
    """
    for entry in fields(Parameters):
        if node.declare_parameter(entry.name, entry.default, ParameterDescriptor(dynamic_typing=True)).value is None:
            default = list(entry.default) if isinstance(entry.default, tuple) else entry.default
            return ParameterError(
                f"the parameter {entry.name} is []; it must have a value, such as its default {default!r}"
            )
    return ParameterError("a parameter that the node does not have is []; leave it out")


def read(node: Node) -> Parameters:
    """What they are set to now. Raises ParameterError."""
    return Parameters(**_values(node))


def check_changes(node: Node, changes: Iterable[Parameter]) -> SetParametersResult:
    """Whether the node's parameters may be changed so, and why not."""
    known = {entry.name for entry in fields(Parameters)}
    try:
        Parameters(**{**_values(node), **{change.name: change.value for change in changes if change.name in known}})
    except ParameterError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)


def when_effective(names: Iterable[str]) -> str:
    """A sentence on those of these parameters that do not take effect at once; empty if there are none."""
    known = {entry.name: entry.metadata for entry in fields(Parameters)}
    later = [name for name in names if name in known and not known[name].get("live")]
    return f"{', '.join(later)}: a change {_LATER}" if later else ""


def _values(node: Node) -> dict[str, Any]:
    values = {entry.name: node.get_parameter(entry.name).value for entry in fields(Parameters)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _of_type(entry: Field, value: Any) -> Any:
    if isinstance(entry.default, float) and type(value) is int:
        return float(value)  # 5 in a file means 5.0
    if isinstance(entry.default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ParameterError(f"the parameter {entry.name} is {value!r}; it must be a list of texts")
        return tuple(value)
    if type(value) is not type(entry.default):
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise ParameterError(f"the parameter {entry.name} is {value!r}; it must be {names[type(entry.default)]}")
    return value


def _check(entry: Field, value: Any) -> None:
    limits, choices = entry.metadata["limits"], entry.metadata.get("choices")
    if limits and not limits[0] <= value <= limits[1]:
        raise ParameterError(f"the parameter {entry.name} is {value}; it must be from {limits[0]} to {limits[1]}")
    if choices and value not in choices:
        raise ParameterError(f"the parameter {entry.name} is {value!r}; it must be one of {', '.join(choices)}")


def are_names(cameras: Sequence[str]) -> bool:
    """Whether several cameras can be called so: there are names, they differ, and each is a letter and then letters,
    digits and _, as ROS has it for a part of a topic."""
    fit = all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) for name in cameras)
    return bool(cameras) and fit and len(set(cameras)) == len(cameras)


def _check_cameras(names: tuple[str, ...]) -> None:
    if names != ("",) and not are_names(names):
        raise ParameterError(
            f"the parameter cameras is {list(names)}; it must be names that differ, of letters, digits and _, or ['']"
        )


def _descriptor(entry: Field) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=entry.metadata["description"])
    descriptor.read_only = entry.metadata.get("fixed", False)
    if not entry.metadata.get("live") and not descriptor.read_only:
        descriptor.additional_constraints = f"a change {_LATER}"
    if entry.metadata["limits"]:
        low, high = entry.metadata["limits"]
        if isinstance(entry.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor
