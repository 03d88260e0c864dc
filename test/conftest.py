"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, which any library may do

torch.set_num_threads(1)  # quicker for networks as small as most of these

# A change is judged by the same examples each time. Others are drawn with HYPOTHESIS_PROFILE=default.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recorded answers, clips and labelled video, which are not part of the project; skips where they are not."""
    folder = Path(os.environ.get("SAM2_ROS_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"{folder} with recorded answers and clips is not here; SAM2_ROS_SHARED may name another folder")
    return folder
