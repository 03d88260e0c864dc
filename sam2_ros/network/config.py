"""The sizes of the network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Sam2Config:
    """Every size of a SAM 2 network. The defaults are those of SAM 2.1 tiny.

    Field names follow the original's configuration files (facebookresearch/sam2, `sam2/configs`) where it has them.
    """

    image_size: int = 1024
    """Pixels, edge of the square input; a multiple of 32."""
    trunk: str = "hiera"
    """`hiera`, or `efficientnet_lite0` for machines without a GPU; the fields up to d_model are Hiera's."""
    embed_dim: int = 96
    num_heads: int = 1
    stages: tuple[int, ...] = (1, 2, 7, 2)
    global_att_blocks: tuple[int, ...] = (5, 7, 9)
    window_spec: tuple[int, ...] = (8, 4, 14, 7)
    window_pos_embed_bkg_spatial_size: tuple[int, int] = (7, 7)
    d_model: int = 256
    """Channels of the image features, of the decoder and of an object pointer."""
    mem_dim: int = 64
    """Channels of a memory."""
    num_layers: int = 4
    """Layers of memory attention."""
    dim_feedforward: int = 2048
    """Hidden channels of memory attention's feed-forward layers."""
    decoder_mlp_dim: int = 2048
    """Hidden channels of the mask decoder's feed-forward layers."""
    num_maskmem: int = 7
    """Temporal slots of the memory: one for conditioning frames, the others for the most recent frames."""
    max_obj_ptrs_in_encoder: int = 16
    """Pointers of recent frames attended to, plus one."""
    no_obj_embed_spatial: bool = True
    """Mark the memory of a frame on which the object is hidden (SAM 2.1)."""
    add_tpos_enc_to_obj_ptrs: bool = True
    """Tell pointers of different age apart (SAM 2.1)."""
    search_context: float = 0.0
    """Each object is looked for in a region around it, so many times as large as it is; 0, as in SAM 2: in the whole
    image. See `sam2_ros.geometry.search_region`."""
    refined_size: int = 0
    """Edge in pixels of the picture of an object in which the edge of its mask is refined; 0, as in SAM 2: it is not.
    See `sam2_ros.network.mask_refiner`."""

    def __post_init__(self) -> None:
        if self.trunk not in ("hiera", "efficientnet_lite0"):
            raise ValueError(f"trunk is {self.trunk!r}; it must be 'hiera' or 'efficientnet_lite0'")
        if self.image_size % 32 or self.image_size <= 0:
            raise ValueError(f"image_size is {self.image_size}; it must be a positive multiple of 32")
        if self.refined_size and (
            self.refined_size % 16 or not self.search_context or self.trunk != "efficientnet_lite0"
        ):
            raise ValueError(
                f"refined_size is {self.refined_size}; it must be a multiple of 16, with search regions and the trunk "
                "'efficientnet_lite0'"
            )
        if self.d_model % self.mem_dim:
            raise ValueError(f"d_model {self.d_model} must be a multiple of mem_dim {self.mem_dim}")

    @classmethod
    def named(cls, name: str) -> Sam2Config:
        """The configuration of an official size (`sam2.1_hiera_tiny`, ...) or of the embedded model, `nano`."""
        if name not in NAMED:
            raise ValueError(f"no model is named {name!r}; there are {', '.join(NAMED)}")
        return NAMED[name]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Sam2Config:
        """The inverse of `to_dict`; lists become tuples."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the trunk's outputs at strides 4, 8, 16 and 32."""
        if self.trunk == "efficientnet_lite0":
            return (24, 40, 112, 320)
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.stages)))


_HIERA: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"stages": (1, 2, 11, 2), "global_att_blocks": (7, 10, 13)},
    "base_plus": {
        "embed_dim": 112,
        "num_heads": 2,
        "stages": (2, 3, 16, 3),
        "global_att_blocks": (12, 16, 20),
        "window_pos_embed_bkg_spatial_size": (14, 14),
    },
    "large": {
        "embed_dim": 144,
        "num_heads": 2,
        "stages": (2, 6, 36, 4),
        "global_att_blocks": (23, 33, 43),
        "window_spec": (8, 4, 16, 8),
    },
}
_SAM_2_0: dict[str, Any] = {"no_obj_embed_spatial": False, "add_tpos_enc_to_obj_ptrs": False}

NAMED: dict[str, Sam2Config] = {
    **{f"sam2.1_hiera_{size}": Sam2Config(**fields) for size, fields in _HIERA.items()},
    **{f"sam2_hiera_{size}": Sam2Config(**fields, **_SAM_2_0) for size, fields in _HIERA.items()},
    "nano": Sam2Config(
        image_size=192,
        trunk="efficientnet_lite0",
        d_model=128,
        mem_dim=32,
        num_layers=2,
        dim_feedforward=256,
        decoder_mlp_dim=512,
        search_context=3.2,
        refined_size=128,
    ),
}
