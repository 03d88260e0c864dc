"""The SAM 2.1 network, its sizes and its checkpoints: torch alone, no state."""

from .checkpoint import CheckpointError, fingerprint, load_network, weights_path
from .config import Sam2Config
from .device import DeviceError, describe_device, find_device, find_dtype, use_threads, why_no_gpu
from .mask_decoder import Answer
from .sam2 import NO_OBJECT, Choice, Features, Memory, Sam2, enlarge, overlap, shrink

__all__ = [
    "NO_OBJECT",
    "Answer",
    "CheckpointError",
    "Choice",
    "DeviceError",
    "Features",
    "Memory",
    "Sam2",
    "Sam2Config",
    "describe_device",
    "enlarge",
    "find_device",
    "find_dtype",
    "fingerprint",
    "load_network",
    "overlap",
    "shrink",
    "use_threads",
    "weights_path",
    "why_no_gpu",
]
