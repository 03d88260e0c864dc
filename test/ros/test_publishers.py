from __future__ import annotations

import numpy as np
import pytest
from fake_publishing import IMAGE, FakeNode
from std_msgs.msg import Header

from sam2_ros.msg import TrackedObjects
from sam2_ros.ros import overlay_publisher, publishers
from sam2_ros.ros.publishers import Publishers, to_marks
from sam2_ros.tracking import State, Tracks


def _tracks(*ids: int, states: tuple[State, ...] | None = None) -> Tracks:
    count = len(ids)
    zeros = np.zeros(count, np.float32)
    masks = np.zeros((count, 4, 6), bool)
    for index in range(count):
        masks[index, index, 1] = True
    return Tracks(
        stamp=0,
        ids=ids,
        states=states or (State.VISIBLE,) * count,
        masks=masks,
        logits=np.zeros((count, 1, 1), np.float32),
        boxes=np.zeros((count, 4), np.float32),
        centroids=np.zeros((count, 2), np.float32),
        areas=masks.sum(axis=(1, 2)),
        scores=zeros,
        visibility=zeros,
        iou=zeros,
        last_seen=(0,) * count,
    )


def test_only_what_is_listened_to_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("made for nobody")

    for name in ("to_tracked_objects", "label_image"):
        monkeypatch.setattr(publishers, name, never)
    monkeypatch.setattr(overlay_publisher, "draw_overlay", never)
    node = FakeNode()

    outputs = Publishers(node)
    outputs.publish(Header(), IMAGE, _tracks(1), {})
    outputs.overlay.finish()

    assert all(not publisher.messages for publisher in node.publishers.values())


def test_each_topic_has_its_message_and_the_images_header() -> None:
    node, header = FakeNode(), Header(frame_id="camera")
    outputs = Publishers(node)
    for publisher in node.publishers.values():
        publisher.subscribers = 1

    outputs.publish(header, IMAGE, _tracks(1, 300), {})
    outputs.overlay.finish()

    messages = {topic: publisher.messages for topic, publisher in node.publishers.items() if publisher.messages}
    messages.pop("~/detections", None)  # only where vision_msgs is installed
    assert {topic: len(sent) for topic, sent in messages.items()} == {
        "~/objects": 1,
        "~/label_image": 1,
        "~/overlay": 1,
        "~/overlay/compressed": 1,
    }
    assert all(message.header == header for (message,) in messages.values())
    assert isinstance(messages["~/objects"][0], TrackedObjects)
    assert messages["~/label_image"][0].encoding == "mono16"
    assert messages["~/overlay"][0].encoding == "rgb8"


def test_who_is_new_among_the_listeners() -> None:
    node = FakeNode()
    outputs = Publishers(node)
    for topic in ("~/objects", "~/label_image", "~/overlay", "~/overlay/compressed", "~/points", "~/markers"):
        node.publishers[topic].subscribers = 1
        assert outputs.has_new_listeners(), topic
        assert not outputs.has_new_listeners(), "it was said already"
    node.publishers["~/points"].subscribers = 0
    assert not outputs.has_new_listeners()
    node.publishers["~/points"].subscribers = 1
    outputs.publish(Header(), IMAGE, _tracks(1), {})
    assert not outputs.has_new_listeners(), "it got that"
    outputs.overlay.finish()


@pytest.mark.parametrize(("highest", "encoding"), [(255, "mono8"), (65535, "mono16"), (65536, "32SC1")])
def test_the_label_image_is_as_wide_as_the_ids_need(highest: int, encoding: str) -> None:
    node = FakeNode()
    outputs = Publishers(node)
    node.publishers["~/label_image"].subscribers = 1

    outputs.publish(Header(), IMAGE, _tracks(highest), {})

    assert node.publishers["~/label_image"].messages[0].encoding == encoding


def test_what_is_written_beside_an_object() -> None:
    states = (State.VISIBLE, State.OCCLUDED, State.LOST)

    marks = to_marks(_tracks(1, 2, 5, states=states), {1: "mug", 2: "bowl"})

    assert [(mark.id, mark.caption) for mark in marks] == [(1, "1 mug"), (2, "2 bowl occluded"), (5, "5 lost")]
