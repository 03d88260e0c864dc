"""Products by the library that is quicker: the same from either, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2_ros.network import linear as module
from sam2_ros.network.hiera import MultiScaleAttention
from sam2_ros.network.layers import Attention, attend_in_chunks
from sam2_ros.network.linear import Linear, by_onednn, linear, multiplies_fast


@pytest.fixture(params=[True, False], ids=["oneDNN", "PyTorch"])
def onednn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Which library is said to be the quicker one; in inference, where it matters."""
    monkeypatch.setattr(module, "_onednn_is_quicker", lambda: request.param)
    monkeypatch.setattr(module, "_SMALL", 0)
    torch.manual_seed(0)
    with torch.inference_mode():
        yield request.param


@pytest.mark.parametrize(
    "lay",
    [
        lambda x: x,
        lambda x: x.T.contiguous().T,
        lambda x: torch.cat((x, x), dim=1)[:, : x.shape[1]],
        lambda x: torch.cat((x, x)).T.contiguous().T[: len(x)],
    ],
    ids=["rows", "columns", "gaps between rows", "gaps between columns"],
)
def test_a_product_however_its_factors_lie(onednn: bool, lay: Callable[[Tensor], Tensor]) -> None:
    x, weight, bias = torch.randn(40, 24), torch.randn(16, 24), torch.randn(16)
    assert by_onednn(x) == onednn
    torch.testing.assert_close(linear(lay(x), lay(weight)), x @ weight.T, rtol=0, atol=1e-5)
    torch.testing.assert_close(linear(lay(x), weight, bias), x @ weight.T + bias, rtol=0, atol=1e-5)


def test_a_layer_over_more_than_two_dimensions(onednn: bool) -> None:
    layer, x = Linear(24, 16), torch.randn(2, 3, 5, 24)
    torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias), rtol=0, atol=1e-5)
    torch.testing.assert_close(layer(x[:0]), torch.empty(0, 3, 5, 16))


def test_attention_in_chunks(onednn: bool) -> None:
    q, k, values = torch.randn(1100, 64), torch.randn(1500, 64), torch.randn(1500, 64)
    fused = F.scaled_dot_product_attention(q[None, None], k[None, None], values[None, None])[0, 0]
    torch.testing.assert_close(attend_in_chunks(q, k, values), fused, rtol=0, atol=2e-5)
    torch.testing.assert_close(attend_in_chunks(q[:9], k, values), fused[:9], rtol=0, atol=2e-5)


def test_attention_in_chunks_in_half_precision() -> None:
    torch.manual_seed(0)
    q, k, values = torch.randn(600, 64), torch.randn(7000, 64), torch.randn(7000, 16)
    q, k, values = q.bfloat16(), k.bfloat16(), values.bfloat16()
    exact = (q.double() @ k.double().T / 8).softmax(dim=1) @ values.double()
    quick = attend_in_chunks(q, k, values)
    assert quick.dtype == torch.bfloat16
    assert (quick.double() - exact).norm() / exact.norm() < 6e-3, "PyTorch's own has 2e-3"


def test_small_products_are_left_to_mkl(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(module, "_onednn_is_quicker", lambda: True)
    monkeypatch.setattr(module, "_multiply", lambda x, *_: sizes.append(x.numel()))
    with torch.inference_mode():
        linear(torch.randn(8, 256), torch.randn(256, 256))
        linear(torch.randn(256, 256), torch.randn(256, 256))
    assert sizes == [256 * 256]


def test_what_onednn_cannot_do_is_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_onednn_is_quicker", lambda: True)
    attention, x = Attention(8, heads=2), torch.randn(1, 5, 8)
    attention(x, x, x).sum().backward()
    assert attention.q_proj.weight.grad is not None, "gradients"
    with torch.inference_mode():
        assert by_onednn(x)
        assert not by_onednn(x.bfloat16()), "PyTorch itself gives it to oneDNN"
        assert not by_onednn(x.to("meta"))


@pytest.mark.parametrize("quicker", [True, False])
def test_attention_in_half_precision_is_made_of_products_where_they_are_fast(
    monkeypatch: pytest.MonkeyPatch, quicker: bool
) -> None:
    monkeypatch.setattr(module, "bfloat16_is_quicker", lambda: quicker)
    fused: list[tuple[int, ...]] = []
    own = F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, *rest: fused.append(q.shape) or own(q, *rest))
    torch.manual_seed(0)
    for pools, edge in ((False, 14), (True, 8), (False, 32)):  # windows, windows that shrink, a whole map
        layer, x = MultiScaleAttention(96, 192, heads=2, pools=pools), torch.randn(2, edge, edge, 96)
        exact, half = layer(x).detach(), layer.bfloat16().requires_grad_(False)
        with torch.inference_mode():
            assert multiplies_fast(x.bfloat16()) == quicker
            fused.clear()
            answer = half(x.bfloat16())
        assert (not fused) == quicker
        assert (answer.float() - exact).norm() / exact.norm() < 2e-2, "rounding of weights and input alone is 6e-3"
    x = torch.randn(1, 14, 14, 96, dtype=torch.bfloat16)
    fused.clear()
    half(x.requires_grad_()).sum().backward()
    assert fused, "with gradients"
    assert x.grad is not None


@pytest.mark.parametrize(("pytorch", "onednn", "taken"), [(1.0, 0.5, True), (1.0, 0.95, False), (1.0, 2.0, False)])
def test_the_quicker_is_taken_if_it_is_by_far(
    monkeypatch: pytest.MonkeyPatch, pytorch: float, onednn: float, taken: bool
) -> None:
    """Seconds of a product by either."""
    monkeypatch.setattr(module, "_seconds", lambda product, *_: pytorch if product is F.linear else onednn)
    assert module._measure.__wrapped__() == taken


@pytest.mark.parametrize(("single", "half", "taken"), [(1.0, 0.5, True), (1.0, 0.8, False), (1.0, 50.0, False)])
def test_bfloat16_is_quicker_if_it_is_by_far(
    monkeypatch: pytest.MonkeyPatch, single: float, half: float, taken: bool
) -> None:
    """Seconds of a product in either type."""
    monkeypatch.setattr(module, "_seconds", lambda _, x, __: half if x.dtype == torch.bfloat16 else single)
    assert module._measure_bfloat16.__wrapped__() == taken


def test_compilers_take_a_product_whole(onednn: bool) -> None:
    layer, x = Linear(24, 16), torch.randn(5, 24)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), F.linear(x, layer.weight, layer.bias), rtol=0, atol=1e-5)
