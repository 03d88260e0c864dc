"""The official weights: lists them, or fetches one. Nothing else in the package ever opens a connection for them."""

from __future__ import annotations

import argparse
import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from sam2_ros.network import weights_path

_SERVER = "https://dl.fbaipublicfiles.com/segment_anything_2"
_BLOCK = 1 << 20


class DownloadError(RuntimeError):
    """A file that could not be fetched whole; what has arrived is kept, and the next try goes on from there."""


@dataclass(frozen=True)
class Weights:
    """An official checkpoint (Meta, Apache-2.0)."""

    name: str
    megabytes: int
    sha256: str

    @property
    def url(self) -> str:
        date = "092824" if self.name.startswith("sam2.1") else "072824"
        return f"{_SERVER}/{date}/{self.name}.pt"


# The sums as micro-sam (computational-cell-analytics/micro-sam) records them; those of 2.1 stand in many other places.
OFFICIAL = (
    Weights("sam2.1_hiera_tiny", 156, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"),
    Weights("sam2.1_hiera_small", 184, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
    Weights("sam2.1_hiera_base_plus", 324, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"),
    Weights("sam2.1_hiera_large", 898, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"),
    Weights("sam2_hiera_tiny", 156, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    Weights("sam2_hiera_small", 184, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    Weights("sam2_hiera_base_plus", 324, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    Weights("sam2_hiera_large", 898, "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b"),
)


def fetch(url: str, target: Path, sha256: str) -> None:
    """Fetches a file, going on from what an earlier try left, and checks its sum before it gets its name.

    Raises DownloadError.
    """
    part = target.with_name(target.name + ".part")
    _make_room(part)
    try:
        _fetch_rest(url, part)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url} answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise DownloadError(
            f"{url} cannot be reached: {error.reason}; where there is no connection, fetch it on another machine and "
            f"copy it to {target}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(
            f"{url} was not fetched to {part}: {error}; the same command goes on from what has arrived"
        ) from error
    found = _sum_of(part)
    if found != sha256:
        part.unlink()
        raise DownloadError(f"the file from {url} has the SHA-256 {found}, not {sha256}; it was thrown away, try again")
    part.replace(target)


def _make_room(part: Path) -> None:
    """Makes sure, before anything is fetched, that it can be written. Raises DownloadError."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.open("ab").close()
        if not part.stat().st_size:
            part.unlink()
    except OSError as error:
        raise DownloadError(
            f"{part.parent} cannot be written to: {error.strerror}; set SAM2_ROS_WEIGHTS to a folder that can"
        ) from error


def _fetch_rest(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is here already; the sum will tell
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server sends the whole file again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem) as progress,
        ):
            while block := response.read(_BLOCK):
                file.write(block)
                progress.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise http.client.IncompleteRead(b"", total - part.stat().st_size)


def _sum_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. 0 if all is well, 1 if a file could not be fetched, 2 for wrong arguments, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="sam2_ros weights",
        description="Lists Meta's official weights (Apache-2.0), or fetches one of them.",
        epilog="The folder is $SAM2_ROS_WEIGHTS, or ~/.cache/sam2_ros. A broken download goes on where it stopped.",
    )
    parser.add_argument("name", nargs="?", choices=[one.name for one in OFFICIAL], metavar="NAME")
    name = parser.parse_args(arguments).name
    if name is None:
        for one in OFFICIAL:
            state = "here" if weights_path(one.name).exists() else "not fetched"
            print(f"{one.name:24} {one.megabytes:4} MB  {state:11}  {weights_path(one.name)}")
        return 0
    target = weights_path(name)
    if target.exists():
        print(f"{name} is here already: {target}")
        return 0
    chosen = next(one for one in OFFICIAL if one.name == name)
    try:
        fetch(chosen.url, target, chosen.sha256)
    except DownloadError as error:
        print(f"sam2_ros weights: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sam2_ros weights: interrupted; the same command goes on from what has arrived", file=sys.stderr)
        return 130
    print(f"{name} is at {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
