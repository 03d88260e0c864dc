"""Convolutions whose weights are laid out once: the same as PyTorch's, also after the weights have changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F

from sam2_ros.network import convolution, linear
from sam2_ros.network.convolution import _KEPT, Conv1x1, Conv2d, in_one


@pytest.fixture(params=[True, False], ids=["oneDNN", "PyTorch"], autouse=True)
def onednn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Which library is said to be the quicker one for 1 x 1."""
    monkeypatch.setattr(linear, "_onednn_is_quicker", lambda: request.param)
    monkeypatch.setattr(convolution, "_MANY", 0)
    torch.manual_seed(0)
    yield request.param


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_each_pixels_channels_times_a_matrix(memory_format: torch.memory_format) -> None:
    layer, x = Conv1x1(24, 16), torch.randn(2, 24, 5, 7).to(memory_format=memory_format)
    expected = torch.einsum("oc,nchw->nohw", layer.weight[:, :, 0, 0], x) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(layer(x[:, :, 1:4, 2:]), expected[:, :, 1:4, 2:], rtol=0, atol=1e-5)
    torch.testing.assert_close(layer(x[:0]), torch.empty(0, 16, 5, 7))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(12, 8, 3, padding=1),
        Conv2d(12, 8, 5, stride=2, padding=2, bias=False),
        Conv2d(12, 12, 7, padding=3, groups=12),
        Conv2d(12, 24, 2, stride=2, dilation=2),
    ],
    ids=["3 x 3", "stride", "each channel by itself", "dilation"],
)
@torch.inference_mode()
def test_the_same_as_pytorchs(layer: Conv2d, memory_format: torch.memory_format) -> None:
    for size in ((2, 12, 9, 11), (1, 12, 16, 16), (3, 12, 5, 40)):
        x = torch.randn(size).to(memory_format=memory_format)
        expected = F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


def test_the_quicker_library_multiplies(onednn: bool) -> None:
    """With one thread PyTorch itself would leave it to MKL."""
    layer, x, threads = Conv1x1(24, 16), torch.randn(2, 24, 5, 7), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), torch.profiler.profile(acc_events=True) as profile:
            layer(x)
    finally:
        torch.set_num_threads(threads)
    names = {event.key for event in profile.key_averages()}
    assert ("mkldnn::_convolution_pointwise" in names) == onednn


def _times_laid_out(layer: Conv2d, inputs: Sequence[torch.Tensor]) -> int:
    with torch.inference_mode(), torch.profiler.profile(acc_events=True) as profile:
        for x in inputs:
            layer(x)
    times = {event.key: event.count for event in profile.key_averages()}
    assert times["mkldnn::_convolution_pointwise"] == len(inputs)
    return times.get("mkldnn::_reorder_convolution_weight", 0)


def test_weights_are_laid_out_once_for_each_shape() -> None:
    layer = Conv2d(4, 8, 3)
    one, two, small = torch.randn(1, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.randn(1, 4, 6, 6)
    assert _times_laid_out(layer, [one, one, two, two, one, small, one, two, small]) == 3
    assert _times_laid_out(layer, [one, two, small]) == 0


def test_few_weights_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 8, 8)
    monkeypatch.setattr(convolution, "_MANY", 4 * 8 * 9 + 1)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias), rtol=0, atol=1e-5)
    assert not layer._layouts


def test_weights_are_laid_out_anew_for_more_threads() -> None:
    layer, x, threads = Conv2d(4, 8, 3), torch.randn(1, 4, 8, 8), torch.get_num_threads()
    assert _times_laid_out(layer, [x, x]) == 1
    torch.set_num_threads(threads + 1)
    try:
        assert _times_laid_out(layer, [x, x]) == 1
    finally:
        torch.set_num_threads(threads)


def test_few_layouts_are_kept() -> None:
    layer, sizes = Conv2d(4, 8, 3), [torch.randn(1, 4, 8, size) for size in range(8, 28)]
    assert _times_laid_out(layer, sizes) == len(sizes)
    assert len(layer._layouts) == _KEPT
    assert _times_laid_out(layer, sizes[-_KEPT:]) == 0, "the latest"


def _change(layer: Conv2d) -> None:
    with torch.no_grad():
        layer.weight.mul_(2)


def _load(layer: Conv2d) -> None:
    layer.load_state_dict({name: value + 1 for name, value in layer.state_dict().items()})


def _assign(layer: Conv2d) -> None:
    layer.load_state_dict({name: value + 1 for name, value in layer.state_dict().items()}, assign=True)


def _learn(layer: Conv2d) -> None:
    layer(torch.randn(1, 4, 6, 6)).sum().backward()
    torch.optim.SGD(layer.parameters(), 0.1).step()


@pytest.mark.parametrize("change", [_change, _load, _assign, _learn])
def test_changed_weights_count(change: object) -> None:
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        before = layer(x)
    change(layer)
    with torch.inference_mode():
        after = layer(x)
    torch.testing.assert_close(after, F.conv2d(x, layer.weight, layer.bias), rtol=0, atol=1e-5)
    assert (after - before).abs().max() > 1e-2


def test_weights_that_take_the_place_of_others_count() -> None:
    """PyTorch gives the memory of weights that are gone to the next ones, which are as new as those were."""
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
    for _ in range(8):
        _assign(layer)
        with torch.inference_mode():
            torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias), rtol=0, atol=1e-4)
    assert set(layer.state_dict()) == {"weight", "bias"}


def test_a_copy_has_weights_of_its_own() -> None:
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        before = layer(x)
        other = copy.deepcopy(layer)
        other.weight.zero_()
        torch.testing.assert_close(other(x), layer.bias.view(1, 8, 1, 1).expand(1, 8, 4, 4))
        torch.testing.assert_close(layer(x), before)


def test_weights_that_were_made_in_inference_mode() -> None:
    with torch.inference_mode():
        layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
        for _ in range(2):
            torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias), rtol=0, atol=1e-5)
            layer.weight.mul_(2)


def test_what_onednn_cannot_do_is_left_to_pytorch() -> None:
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
    layer(x).sum().backward()
    assert layer.weight.grad is not None, "gradients"
    with torch.inference_mode():
        assert layer.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


def test_compilers_take_a_convolution_whole() -> None:
    layer, x = Conv2d(4, 8, 3), torch.randn(1, 4, 6, 6)
    with torch.inference_mode():
        compiled = torch.compile(layer, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), layer(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_two_matrices_in_one(dtype: torch.dtype) -> None:
    first, second, x = Conv1x1(6, 40).to(dtype), Conv1x1(40, 5).to(dtype), torch.randn(2, 6, 7, 9).to(dtype)
    x.requires_grad_()
    one, two = in_one(first, second, x), second(first(x))
    assert one.dtype == dtype
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)
    (gradient,), (expected,) = (torch.autograd.grad(y.float().square().sum(), first.weight) for y in (one, two))
    torch.testing.assert_close(gradient, expected, rtol=10 * tolerance, atol=10 * tolerance)
