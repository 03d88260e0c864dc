"""Child processes of the demo, and what they print."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from sam2_ros.transport import use_large_segment


class ProcessDied(RuntimeError):
    """A process ended that had to stay; the message holds its last lines."""


def isolate() -> None:
    """Puts us, and what we start, in a domain of our own, so that we neither see nor disturb others on this machine."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(random.randint(1, 100)))
    use_large_segment()
    # Confined to this machine by these, rmw_fastrtps would choose the transports itself, and lose images.
    os.environ.pop("ROS_AUTOMATIC_DISCOVERY_RANGE", None)
    os.environ.pop("ROS_LOCALHOST_ONLY", None)


def end_in_order() -> None:
    """Takes a signal to end, or the closing of the terminal, as Ctrl-C: what we started must not be left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, signal.default_int_handler)


class Process:
    """`sam2_ros ARGUMENTS`, run beside us by the same interpreter and in the same environment.

    Its lines go to our standard output, with its name before each.
    """

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name = name
        self._lines: deque[str] = deque(maxlen=12)
        self._stopping = False
        self.heard = time.monotonic()
        """When it last printed a line, on the monotonic clock."""
        # A session of its own: an interrupt from the keyboard reaches us alone, and we stop it in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sam2_ros", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.heard = time.monotonic()
            self._lines.append(line.rstrip())
            # What it says on its way out, when it is told to go, is of no interest.
            if not self._stopping:
                print(f"  {self.name}: {line.rstrip()}", flush=True)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def succeeded(self) -> bool:
        return self._process.poll() == 0

    def check(self) -> None:
        """Raises ProcessDied if it has ended."""
        if self.ended:
            self._reader.join(2.0)
            last = "\n".join(f"    {line}" for line in self._lines) or "    (nothing)"
            code = self._process.returncode
            raise ProcessDied(f"the {self.name} ended with exit status {code}; the last that it printed:\n{last}")

    def wait_for(self, text: str, beside: Sequence[Process] = (), patience: float = 120.0) -> None:
        """Until it has printed this. A tracker that is started before the camera plays would complain of having no
        images.

        Raises ProcessDied if it, or one of those beside it, ends before that, or if it prints nothing for so many
        seconds.
        """
        while not any(text in line for line in list(self._lines)):
            for process in (self, *beside):
                process.check()
            if time.monotonic() - self.heard > patience:
                raise ProcessDied(f"the {self.name} has not said a word for {patience:g} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks it to end, and ends it if it does not within five seconds."""
        self._stopping = True
        for sign, patience in ((signal.SIGINT, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0)):
            if self.ended:
                break
            self._process.send_signal(sign)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(2.0)
