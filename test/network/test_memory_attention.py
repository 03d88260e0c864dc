"""The quick ways of memory attention on a CPU against the plain ones."""

from __future__ import annotations

import pytest
import torch

from sam2_ros.network import Sam2Config
from sam2_ros.network.layers import LayerNorm2d, attend_in_chunks
from sam2_ros.network.memory_attention import MemoryAttention
from sam2_ros.network.position import rotary_table, rotate_


@pytest.mark.parametrize("filled_up", [False, True])
def test_attention_object_by_object_equals_the_fused_kernel(filled_up: bool) -> None:
    torch.manual_seed(0)
    attention = MemoryAttention(Sam2Config.named("nano")).eval()
    features, memory = torch.randn(1, 128, 12, 12), torch.randn(3, 2 * 144 + 8, 32)
    place, used = torch.randn_like(memory), torch.tensor([[288, 8], [144, 4], [288, 0]], dtype=torch.int32)
    arguments = features, memory, place, 8, used if filled_up else None
    plain = attention(*arguments).detach()
    with torch.no_grad():
        quick = attention(*arguments)
    torch.testing.assert_close(quick, plain, rtol=0, atol=2e-5)


@pytest.mark.parametrize("slope", [-0.2, 0.0, 0.2])
def test_attention_in_chunks_equals_the_fused_kernel(slope: float) -> None:
    """slope: of the scores along the keys, so that the highest are the first, anywhere, or the last."""
    torch.manual_seed(0)
    q, k, values = torch.randn(1100, 64), torch.randn(1500, 64), torch.randn(1500, 16)
    q[:, 0], k[:, 0] = 8.0, slope * torch.arange(1500) + (0 if slope > 0 else 300)
    wide = torch.nn.functional.pad(values, (0, 48))
    plain = torch.nn.functional.scaled_dot_product_attention(q[None, None], k[None, None], wide[None, None])
    quick = attend_in_chunks(q, k, values)
    assert float((q @ k.T / 8).amax()) > 100, "exponentials that would overflow"
    torch.testing.assert_close(quick, plain[0, 0, :, :16], rtol=0, atol=2e-5)


def test_an_object_does_not_see_what_only_fills_up() -> None:
    torch.manual_seed(0)
    attention = MemoryAttention(Sam2Config.named("nano")).eval()
    features, memory, place = torch.randn(1, 128, 4, 4), torch.randn(2, 36, 32), torch.randn(2, 36, 32)
    used = torch.tensor([[32, 4], [16, 3]], dtype=torch.int32)
    other = memory.clone()
    other[1, 16:32] = torch.randn(16, 32)
    other[1, 35:] = torch.randn(1, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            attention(features, memory, place, 4, used), attention(features, other, place, 4, used), rtol=0, atol=0
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rotation_by_complex_numbers_and_written_out(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    table = rotary_table(64, 5, 7, torch.device("cpu"))
    x = torch.randn(2, 3, 35, 64).to(dtype)
    turned = x.clone()
    assert rotate_(turned, table) is turned
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # compilers do not take complex numbers
    torch.testing.assert_close(turned, rotate_(x.clone(), table), rtol=0, atol=1e-5 if dtype == torch.float32 else 0)
    rounding = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(turned.float().norm(dim=-1), x.float().norm(dim=-1), rtol=rounding, atol=0)
    assert not torch.allclose(turned, x)


def test_layer_norm_over_few_channels() -> None:
    norm = LayerNorm2d(8)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 3 * torch.randn(2, 8, 5, 6) + 2
    expected = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (8,), norm.weight, norm.bias, norm.eps)
    torch.testing.assert_close(norm(x), expected.permute(0, 3, 1, 2), rtol=0, atol=1e-5)
