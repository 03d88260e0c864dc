"""The SAM 2.1 network, its sizes and its checkpoints: torch alone, no state."""

from .checkpoint import CheckpointError, fingerprint, load_network, weights_path
from .config import Sam2Config
from .mask_decoder import Answer
from .sam2 import NO_OBJECT, Choice, Features, Memory, Sam2

__all__ = [
    "NO_OBJECT",
    "Answer",
    "CheckpointError",
    "Choice",
    "Features",
    "Memory",
    "Sam2",
    "Sam2Config",
    "fingerprint",
    "load_network",
    "weights_path",
]
