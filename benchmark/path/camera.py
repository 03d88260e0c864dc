"""The camera's process: images, camera_info and depth at a steady rate. Prints the stamps that it sent, as JSON."""

from __future__ import annotations

import json
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_time

from .table import Table

DISCOVERY = 2.0
"""Seconds from the first subscriber to the first image."""


def main(width: int, height: int, rate: float, count: int, depth: bool) -> int:
    """Sends so many images as soon as somebody subscribes."""
    rclpy.init()
    node = Node("camera")
    table = Table(width, height, 5)
    image, distances = (to_message(table.image, "rgb8", Header()), to_message(table.depth, "16UC1", Header()))
    pinhole = table.camera
    k = [pinhole.fx, 0.0, pinhole.cx, 0.0, pinhole.fy, pinhole.cy, 0.0, 0.0, 1.0]
    info = CameraInfo(width=width, height=height, k=k)
    sent = {
        node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data): info,
        node.create_publisher(Image, "image", qos_profile_sensor_data): image,
    }
    if depth:
        sent[node.create_publisher(Image, "depth", qos_profile_sensor_data)] = distances
    while not all(publisher.get_subscription_count() for publisher in sent):
        time.sleep(0.05)
    time.sleep(DISCOVERY)
    stamps = []
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        stamps.append(time.time_ns())
        header = Header(frame_id="camera", stamp=to_time(stamps[-1]))
        for publisher, message in sent.items():
            message.header = header
            publisher.publish(message)
    print(json.dumps(stamps))
    for publisher in sent:
        publisher.wait_for_all_acked(Duration(seconds=1.0))
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    w, h, r, c, d = sys.argv[1:6]
    sys.exit(main(int(w), int(h), float(r), int(c), d == "depth"))
