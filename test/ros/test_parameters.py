from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from functools import partial
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from sam2_ros.ros import parameters
from sam2_ros.ros.parameters import ParameterError, Parameters

CONFIG = Path(__file__).parents[2] / "config" / "sam2.yaml"

MakeNode = Callable[..., Node]


@pytest.fixture
def make_node() -> Iterator[MakeNode]:
    """Makes a node with the given overrides."""
    context = Context()
    rclpy.init(context=context)
    nodes: list[Node] = []

    def make(**overrides: object) -> Node:
        nodes.append(
            Node(
                "sam2",
                context=context,
                parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()],
                automatically_declare_parameters_from_overrides=True,
            )
        )
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_the_file_names_every_parameter_with_its_default_and_no_other() -> None:
    stored = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]

    expected = {entry.name: entry.default for entry in fields(Parameters)}
    expected["cameras"] = list(expected["cameras"])
    assert stored == expected
    assert {name: type(value) for name, value in stored.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_the_file_explains_every_parameter_in_the_words_of_its_description() -> None:
    text = " ".join(line.strip().lstrip("# ") for line in CONFIG.read_text().splitlines())

    for entry in fields(Parameters):
        assert entry.default is not MISSING
        assert entry.metadata["description"] in text


def test_defaults_are_declared_with_type_description_and_range(make_node: MakeNode) -> None:
    node = make_node()

    assert parameters.declare(node) == []
    assert parameters.read(node) == Parameters()
    descriptor = node.describe_parameter("capacity")
    assert descriptor.description.startswith("objects that can be tracked")
    assert (descriptor.integer_range[0].from_value, descriptor.integer_range[0].to_value) == (1, 256)
    descriptor = node.describe_parameter("hide_below")
    assert not descriptor.integer_range
    assert (descriptor.floating_point_range[0].from_value, descriptor.floating_point_range[0].to_value) == (0.0, 1.0)


def test_given_values_are_taken(make_node: MakeNode) -> None:
    node = make_node(capacity=3, model="sam2.1_hiera_tiny", autostart=False)

    parameters.declare(node)

    assert parameters.read(node) == replace(Parameters(), capacity=3, model="sam2.1_hiera_tiny", autostart=False)


def test_a_whole_number_is_taken_for_a_real_one(make_node: MakeNode) -> None:
    node = make_node(lost_after=4)

    parameters.declare(node)

    assert parameters.read(node).lost_after == 4.0


def test_a_name_that_is_no_parameter_is_returned(make_node: MakeNode) -> None:
    node = make_node(capcity=3, use_sim_time=False)

    assert parameters.declare(node) == ["capcity"]


def test_qos_overrides_have_no_effect_and_are_returned(make_node: MakeNode) -> None:
    name = "qos_overrides./camera/image_raw.subscription.depth"
    node = make_node(**{name: 7})

    assert parameters.declare(node) == [name]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("capacity", 0, "the parameter capacity is 0; it must be from 1 to 256"),
        ("capacity", "many", "the parameter capacity is 'many'; it must be a whole number"),
        ("capacity", True, "the parameter capacity is True; it must be a whole number"),
        ("lost_after", -1.0, r"the parameter lost_after is -1\.0; it must be from 0\.0 to"),
        ("model", 3, "the parameter model is 3; it must be a text"),
        ("autostart", "yes", "the parameter autostart is 'yes'; it must be true or false"),
        ("reliability", "good", "the parameter reliability is 'good'; it must be one of best_effort, reliable"),
        ("cameras", "front", "the parameter cameras is 'front'; it must be a list of texts"),
        ("cameras", ["a", "a"], r"the parameter cameras is \['a', 'a'\]; it must be names that differ"),
        ("cameras", ["a", ""], r"it must be names that differ, of letters, digits and _, or \[''\]"),
        ("cameras", ["1st"], "it must be names that differ"),
        ("hide_below", 0.8, r"the parameter hide_below is 0.8 and show_above 0.5; the first must not be above"),
        ("dtype", "int8", "the parameter dtype is 'int8'; it must be one of auto, float32, bfloat16"),
    ],
)
def test_a_bad_value_is_named(make_node: MakeNode, name: str, value: object, message: str) -> None:
    node = make_node(**{name: value})

    with pytest.raises(ParameterError, match=message):
        parameters.declare(node)


def test_an_image_size_that_is_no_multiple_of_32() -> None:
    with pytest.raises(ParameterError, match="image_size is 100; it must be 0 or a multiple of 32"):
        Parameters(image_size=100)
    assert Parameters(image_size=512).image_size == 512


def test_the_model_is_chosen_by_a_rate() -> None:
    with pytest.raises(ParameterError, match="the parameter model is 'auto'; that needs target_rate"):
        Parameters(model="auto")
    assert Parameters(model="auto", target_rate=10.0).model == "auto"


def test_names_of_cameras(make_node: MakeNode) -> None:
    node = make_node(cameras=["front", "wrist"])

    parameters.declare(node)

    assert parameters.read(node).cameras == ("front", "wrist")


@pytest.fixture
def node(make_node: MakeNode) -> Node:
    """With all parameters and the check of changes."""
    node = make_node()
    parameters.declare(node)
    node.add_on_set_parameters_callback(partial(parameters.check_changes, node))
    return node


@pytest.mark.parametrize(("name", "value"), [("lost_after", 3.0), ("capacity", 5), ("model", "sam2.1_hiera_tiny")])
def test_a_change_that_can_be(node: Node, name: str, value: object) -> None:
    (result,) = node.set_parameters([Parameter(name, value=value)])

    assert result.successful
    assert getattr(parameters.read(node), name) == value


def test_a_sentence_on_what_takes_effect_later() -> None:
    sentence = parameters.when_effective(["model", "lost_after", "capacity", "use_sim_time"])

    assert sentence == "model, capacity: a change takes effect when the node is configured again"
    at_once = ["show_above", "hide_below", "non_overlap", "lost_after", "object_frames", "overlay_opacity"]
    assert parameters.when_effective([*at_once, "use_sim_time"]) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("capacity", 0), ("lost_after", -1.0), ("reliability", "good"), ("image_size", 100), ("hide_below", 0.6),
     ("cameras", ["front"]), ("autostart", False)],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_with_the_reason(node: Node, name: str, value: object) -> None:
    before = parameters.read(node)

    (result,) = node.set_parameters([Parameter(name, value=value)])

    assert not result.successful
    assert result.reason
    assert parameters.read(node) == before


def test_a_parameter_of_rclpys_own_can_be_changed(node: Node) -> None:
    (result,) = node.set_parameters([Parameter("use_sim_time", value=True)])

    assert result.successful


def test_changes_that_fit_only_together_are_made_together(node: Node) -> None:
    result = node.set_parameters_atomically([Parameter("show_above", value=0.9), Parameter("hide_below", value=0.8)])

    assert result.successful


def test_each_parameter_says_how_it_can_be_changed(node: Node) -> None:
    assert node.describe_parameter("cameras").read_only
    assert node.describe_parameter("model").additional_constraints.endswith("when the node is configured again")
    assert node.describe_parameter("lost_after").additional_constraints == ""
