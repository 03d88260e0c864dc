"""Boxes and names of objects for RViz. Pure functions."""

from __future__ import annotations

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from sam2_ros.geometry.colours import colour
from sam2_ros.geometry.oriented_box import OrientedBox

from .messages import to_pose, to_size

_LINE = 0.003  # metres
_LETTERS = 0.03  # metres
_LIFETIME = Duration(sec=2)  # of a box that is not renewed; what is gone is deleted at once
# Corners of an OrientedBox whose numbers differ in one bit are the ends of an edge.
_EDGES = tuple((a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit)
NAMESPACES = ("box", "edges", "name")


def to_markers(header: Header, object_id: int, caption: str, box: OrientedBox) -> list[Marker]:
    """A glassy box, its edges, and the caption above it, in the colour that the object has in the overlay."""
    red, green, blue = (value / 255 for value in colour(object_id))
    pose = to_pose(box)

    def marker(namespace: str, kind: int, opacity: float) -> Marker:
        return Marker(
            header=header,
            ns=namespace,
            id=object_id,
            type=kind,
            action=Marker.ADD,
            pose=pose,
            color=ColorRGBA(r=red, g=green, b=blue, a=opacity),
            lifetime=_LIFETIME,
        )

    solid, edges, name = (
        marker("box", Marker.CUBE, 0.25),
        marker("edges", Marker.LINE_LIST, 1.0),
        marker("name", Marker.TEXT_VIEW_FACING, 1.0),
    )
    solid.scale = to_size(box)
    edges.scale.x = _LINE
    edges.pose = Pose()
    corners = [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in box.corners]
    edges.points = [corners[end] for edge in _EDGES for end in edge]
    name.text = caption
    name.scale.z = _LETTERS
    # Up in the image, whichever way the box lies: from its uppermost corner.
    top = min(corners, key=lambda corner: corner.y / max(corner.z, 1e-3))
    name.pose = Pose(position=Point(x=pose.position.x, y=top.y - _LETTERS, z=pose.position.z))
    return [solid, edges, name]


def to_deletions(header: Header, object_id: int) -> list[Marker]:
    """What takes an object's markers away."""
    return [Marker(header=header, ns=namespace, id=object_id, action=Marker.DELETE) for namespace in NAMESPACES]
