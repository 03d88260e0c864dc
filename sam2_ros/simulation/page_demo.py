"""The demo to click on: a camera, the tracker and the page as processes of their own."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from .processes import Process, ProcessDied, end_in_order, isolate

_DEPTH = ["-r", "camera_info:=/camera/camera_info", "-r", "depth:=/camera/depth/image_raw", "-p", "depth:=true"]


def serve(video: Path | None, rate: float, model: str, address: str) -> int:
    """Runs until an interrupt, and returns 0 then; 1 if one of the three ends.

    video: played again and again; the simulated tabletop if None. address: HOST:PORT of the page; its own if empty.
    """
    end_in_order()
    isolate()
    source, depth = (["--simulated"], _DEPTH) if video is None else ([str(video), "--loop"], [])
    commands = {
        "page": ["page", *(["--address", address] if address else [])],
        "camera": ["camera", *source, "--rate", str(rate)],
        "node": ["node", "--ros-args", "-r", "image:=/camera/image_raw", *depth, "-p", f"model:={model}"],
    }
    print(
        f"starting the page, the camera and the tracker (ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}); "
        "open the page's address in a browser",
        flush=True,
    )
    try:
        with ExitStack() as at_end:
            processes = []
            for name, command in commands.items():
                processes.append(Process(name, command))
                at_end.callback(processes[-1].stop)
                if name == "camera":
                    processes[-1].wait_for("playing", beside=processes)
            while True:
                for process in processes:
                    process.check()
                time.sleep(0.2)
    except ProcessDied as error:
        print(error, flush=True)
        return 1
    except KeyboardInterrupt:
        return 0
