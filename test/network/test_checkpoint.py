"""Loading weights: every official size, and every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sam2_ros.network import (
    CheckpointError,
    DeviceError,
    Sam2,
    Sam2Config,
    find_device,
    find_dtype,
    load_network,
    weights_path,
)
from sam2_ros.network import device as device_module
from sam2_ros.network.config import NAMED
from sam2_ros.network.device import quicker_dtype

TINY = Sam2Config(image_size=64, embed_dim=8, d_model=32, mem_dim=8, num_layers=1, dim_feedforward=16)

# Of the state dicts that facebookresearch/sam2 at 2b90b9f builds: tensors, numbers in them, and the start of the
# SHA-256 of their sorted names and shapes.
OFFICIAL = {
    "sam2.1_hiera_tiny": (471, 38962754, "bac6d522c4ff90fe"),
    "sam2.1_hiera_small": (519, 46060610, "c9876e8c1ec0adc3"),
    "sam2.1_hiera_base_plus": (615, 80850434, "e2d94a28cde080da"),
    "sam2.1_hiera_large": (903, 224446898, "e5145693245ec445"),
    "sam2_hiera_tiny": (468, 38946242, "5e523b8dafb774df"),
    "sam2_hiera_small": (516, 46044098, "2b023d3d2f211cbf"),
    "sam2_hiera_base_plus": (612, 80833922, "b5ec9a41f6bb0a5f"),
    "sam2_hiera_large": (900, 224430386, "eb5893e1dfbfb666"),
}


def state_of(config: Sam2Config) -> dict[str, torch.Tensor]:
    """A state dict of the right shapes that takes next to no room: each tensor repeats one zero."""
    with torch.device("meta"):
        network = Sam2(config)
    return {key: torch.zeros(()).expand(tensor.shape) for key, tensor in network.state_dict().items()}


@pytest.fixture
def tiny_state() -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in state_of(TINY).items()}


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_sizes_have_the_original_names_and_shapes_and_load(name: str, tmp_path: Path) -> None:
    state = state_of(Sam2Config.named(name))
    lines = "\n".join(f"{key} {tuple(tensor.shape)}" for key, tensor in sorted(state.items()))
    digest = hashlib.sha256(lines.encode()).hexdigest()[:16]
    assert (len(state), sum(tensor.numel() for tensor in state.values()), digest) == OFFICIAL[name]
    file = tmp_path / "renamed_by_its_user.pt"
    torch.save({"model": state}, file)
    assert load_network(file).config == Sam2Config.named(name)


@pytest.mark.parametrize(
    ("size", "heads", "global_blocks", "windows"),
    [
        ("tiny", 1, (5, 7, 9), (8, 4, 14, 7)),
        ("small", 1, (7, 10, 13), (8, 4, 14, 7)),
        ("base_plus", 2, (12, 16, 20), (8, 4, 14, 7)),
        ("large", 2, (23, 33, 43), (8, 4, 16, 8)),
    ],
)
def test_official_sizes_attend_as_the_original_does(
    size: str, heads: int, global_blocks: tuple[int, ...], windows: tuple[int, ...]
) -> None:
    """Which the shapes of their tensors do not tell."""
    for config in (Sam2Config.named(f"sam2.1_hiera_{size}"), Sam2Config.named(f"sam2_hiera_{size}")):
        assert (config.num_heads, config.global_att_blocks, config.window_spec) == (heads, global_blocks, windows)


def test_safetensors_carries_its_own_sizes(tmp_path: Path, tiny_state: dict[str, torch.Tensor]) -> None:
    file = tmp_path / "own.safetensors"
    save_file(tiny_state, file, metadata={"config": json.dumps(TINY.to_dict())})
    network = load_network(file, dtype=torch.bfloat16)
    assert network.config == TINY
    assert network.dtype == torch.bfloat16
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("quicker", [True, False])
def test_the_quicker_type_is_that_of_the_device_and_the_size(
    tmp_path: Path, tiny_state: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, quicker: bool
) -> None:
    monkeypatch.setattr(device_module, "bfloat16_is_quicker", lambda: quicker)
    file = tmp_path / "hiera.safetensors"
    save_file(tiny_state, file, metadata={"config": json.dumps(TINY.to_dict())})
    assert load_network(file, dtype=find_dtype("auto")).dtype == (torch.bfloat16 if quicker else torch.float32)
    assert load_network(file, dtype=find_dtype("float32")).dtype == torch.float32
    assert load_network("nano", dtype=find_dtype("auto")).dtype == torch.float32, "too small to gain"
    assert quicker_dtype(torch.device("cuda"), Sam2Config.named("nano")) == torch.bfloat16


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda state: state.pop("no_obj_ptr"), "no_obj_ptr is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is not part of the network"),
        (lambda state: state.update(no_obj_ptr=torch.zeros(1, 3)), "no_obj_ptr has shape (1, 3), not (1, 32)"),
    ],
    ids=["missing", "extra", "misshapen"],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path, tiny_state, change, sentence: str) -> None:
    change(tiny_state)
    file = tmp_path / "weights.pt"
    torch.save({"model": tiny_state}, file)
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_network(file, config=TINY)


def test_an_official_file_with_a_fault_is_compared_with_the_size_of_its_name(tmp_path: Path) -> None:
    state = state_of(NAMED["sam2.1_hiera_tiny"])
    del state["no_mem_embed"]
    file = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": state}, file)
    with pytest.raises(CheckpointError, match="no_mem_embed is missing"):
        load_network(file)


class Surprise:
    """Would run code when unpickled."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("text.pt", b"not a checkpoint", "not a PyTorch checkpoint of plain tensors: it is no archive"),
        ("page.pt", b"\n<!DOCTYPE html><html><head>", "is a web page and no checkpoint; fetch the file itself"),
        ("empty.pt", b"", "not a whole checkpoint"),
        ("text.safetensors", b"not a checkpoint", "not a safetensors file"),
        ("image.png", b"", "must end in .pt, .pth or .safetensors"),
    ],
)
def test_a_file_that_is_no_checkpoint(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        load_network(tmp_path / name)


@pytest.mark.parametrize("content", [{}, {"model": {}}, [1.0], {"model": {"weight": torch.zeros(1), "epoch": 3}}])
def test_what_is_not_all_tensors_is_no_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_network(tmp_path / "weights.pt", config=TINY)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_download_that_broke_off_is_said_to_be_one(tmp_path: Path, tiny_state, share: float) -> None:
    file = tmp_path / "weights.pt"
    torch.save({"model": tiny_state}, file)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError) as caught:
        load_network(file, config=TINY)
    assert str(caught.value) == (
        f"{file} is not a whole checkpoint: the end of the file is missing; delete it and fetch it again"
    )


def test_what_pytorch_wrote_before_it_wrote_archives(tmp_path: Path, tiny_state) -> None:
    torch.save({"model": tiny_state}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"it is no archive, as torch.save has written since PyTorch 1.6$"):
        load_network(tmp_path / "old.pt", config=TINY)


def test_a_pickle_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Surprise()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint of plain tensors"):
        load_network(tmp_path / "evil.pt")
    assert capsys.readouterr().out == ""


def test_a_file_of_something_else(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_network(tmp_path / "other.pt")


def test_one_tensor_is_no_state_dict(tmp_path: Path) -> None:
    torch.save({"model": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_network(tmp_path / "other.pt")


@pytest.mark.parametrize("config", ['{"colour": 3}', '{"image_size": 100}', "[1]", "{"])
def test_sizes_in_a_file_that_are_not_known(tmp_path: Path, config: str) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "newer.safetensors", metadata={"config": config})
    with pytest.raises(CheckpointError, match="newer.safetensors has sizes that this version does not know"):
        load_network(tmp_path / "newer.safetensors")


@pytest.mark.parametrize("name", ["mps", "meta", "gpu", "cuda:-1x"])
def test_a_device_that_it_does_not_run_on(name: str) -> None:
    with pytest.raises(DeviceError, match=f"--device is '{name}'; it must be auto, cpu, cuda or cuda:N"):
        find_device(name)


def test_a_name_that_is_neither_file_nor_model() -> None:
    with pytest.raises(CheckpointError, match="'sam3' is neither a file nor the name of a model"):
        load_network("sam3")


def test_weights_that_were_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAM2_ROS_WEIGHTS", str(tmp_path))
    assert weights_path("sam2.1_hiera_tiny") == tmp_path / "sam2.1_hiera_tiny.pt"
    with pytest.raises(CheckpointError, match="fetch them with: ros2 run sam2_ros weights sam2.1_hiera_tiny,"):
        load_network("sam2.1_hiera_tiny")


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="image_size is 100"):
        Sam2Config(image_size=100)
    with pytest.raises(ValueError, match="d_model 100 must be a multiple of mem_dim 64"):
        Sam2Config(d_model=100)
    with pytest.raises(ValueError, match="trunk is 'vit'"):
        Sam2Config(trunk="vit")
    assert Sam2Config.from_dict(json.loads(json.dumps(TINY.to_dict()))) == TINY
