"""A command line of ROS: what of it is the program's own, and what is wrong with the rest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rclpy.exceptions import InvalidParameterTypeException
from rclpy.utilities import remove_ros_args

_RIGHT = {
    "remap rule": "-r FROM:=TO with the names of topics, services or nodes",
    "parameter override rule": "-p NAME:=VALUE with a value as YAML has it",
    "params file": "--params-file FILE with a YAML file such as config/sam2.yaml",
    "log level": "--log-level LEVEL or NAME:=LEVEL, with debug, info, warn, error or fatal",
}
"""By what rcl calls them."""


_DOMAINS = range(233)
"""More have no ports of their own in DDS."""


class BadRosArgument(ValueError):
    """An argument after --ros-args, or a variable, that ROS cannot read; the message names it and what would be
    right."""


def without_ros(arguments: Sequence[str]) -> list[str]:
    """The program's own arguments. Raises BadRosArgument."""
    domain = os.environ.get("ROS_DOMAIN_ID", "")
    if domain and not (domain.isdecimal() and int(domain) in _DOMAINS):
        raise BadRosArgument(f"ROS_DOMAIN_ID is {domain!r}; it must be a number from 0 to {_DOMAINS[-1]}, or not set")
    try:
        return remove_ros_args(list(arguments))
    except RuntimeError as error:  # the kinds that rclpy has of it have no public names
        raise BadRosArgument(_sentence(str(error))) from error


@contextmanager
def parameters_named() -> Iterator[None]:
    """Where a node is made: what rclpy says of a value of the wrong type becomes a BadRosArgument."""
    try:
        yield
    except InvalidParameterTypeException as error:
        raise BadRosArgument(f"a parameter has a value of the wrong type: {str(error).rsplit(': ', 1)[0]}") from error


def _sentence(said: str) -> str:
    """Of rcl's words, which end with places in its source."""
    if said.startswith("["):
        return f"the ROS arguments {said} are unknown; --params-file, -p, -r and --log-level are the usual ones"
    said = said.split(", at /")[0].removeprefix("Failed to parse ROS arguments: ")
    found = re.match(r"Couldn't parse ([a-z ]+): '(.*)'\. Error: (.*)", said, re.DOTALL)
    if found is None or found[1] not in _RIGHT:
        return f"the ROS arguments cannot be read: {said.rstrip('.')}"
    kind, argument, reason = found.groups()
    why = "" if "lexeme" in reason else f" ({reason})"  # of use to who writes the parser
    return f"the ROS argument '{argument}' cannot be read{why}; it must be {_RIGHT[kind]}"
