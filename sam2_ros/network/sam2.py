"""The whole network: each step of SAM 2 as one call, with plain tensors in and out and no state between calls.

Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024. Parameter names are the original's
(facebookresearch/sam2), so its checkpoints load as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .convolution import Conv2d
from .image_encoder import ImageEncoder
from .layers import MLP
from .linear import Linear
from .mask_decoder import Answer, MaskDecoder
from .mask_refiner import MaskRefiner
from .memory_attention import MemoryAttention, by_kernel
from .memory_encoder import MemoryEncoder
from .position import sine_grid, sine_time
from .prompt_encoder import PromptEncoder
from .replay import Replay

NO_OBJECT = -1024.0
"""The logit of every pixel of an object that is not in the image."""

_PRESENT, _ABSENT = 10.0, -10.0
"""Object score logits where it is known whether the object is in the image."""

_WHOLE_IMAGE = 0.9
"""Share of the image, or of a search region, from which a mask counts as one of all of it."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Features:
    """An encoded image, or B of them; S is the network's input size."""

    fine: Tensor
    """(B, C / 8, S / 4, S / 4)"""
    middle: Tensor
    """(B, C / 4, S / 8, S / 8)"""
    top: Tensor
    """(B, C, S / 16, S / 16)"""


@dataclass(frozen=True)
class Memory:
    """What is remembered of N objects: F frames of h x w tokens, and P pointers."""

    frames: Tensor
    """(N, F, h * w, mem_dim), from `encode_memory`."""
    ages: Tensor
    """(N, F) int64: 0 for a conditioning frame, otherwise how many frames ago, up to num_maskmem - 1."""
    pointers: Tensor
    """(N, P, C)"""
    pointer_ages: Tensor
    """(N, P) how many frames ago."""
    used: Tensor | None = None
    """(N, 2) int32, how many of an object's frames and of its pointers are there; what comes after them only fills up.
    None where nothing does."""


@dataclass(frozen=True)
class Choice:
    """The one mask that is taken from an answer, for N objects."""

    logits: Tensor
    """(N, 1, S / 4, S / 4), `NO_OBJECT` everywhere if the object is not in the image."""
    raw: Tensor
    """The same as it would be if every object were in the image."""
    iou: Tensor
    """(N,) its predicted IoU."""
    pointer: Tensor
    """(N, C) the object pointer."""
    score: Tensor
    """(N,) object score logit."""
    embedding: Tensor | None = None
    """(N, C / 8, S / 4, S / 4) of which the mask is made; None for one that was given, and where no mask is refined."""


class Sam2(nn.Module):
    """SAM 2 and 2.1 of any size. C is config.d_model, S the input size, h = w = S / 16."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.config = config
        channels = config.d_model
        self.image_encoder = ImageEncoder(config)
        self.sam_prompt_encoder = PromptEncoder(channels)
        self.sam_mask_decoder = MaskDecoder(channels, config.decoder_mlp_dim)
        self.memory_attention = MemoryAttention(config)
        self.memory_encoder = MemoryEncoder(channels, config.mem_dim)
        if config.refined_size:
            self.mask_refiner = MaskRefiner((16, 24), channels // 8)
        self.mask_downsample = Conv2d(1, 1, kernel_size=4, stride=4)
        self.obj_ptr_proj = MLP(channels, channels, channels, 3)
        self.maskmem_tpos_enc = nn.Parameter(torch.zeros(config.num_maskmem, 1, 1, config.mem_dim))
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, channels))
        # Never used, as in the original; it is here because the checkpoints hold it.
        self.no_mem_pos_enc = nn.Parameter(torch.zeros(1, 1, channels))
        self.no_obj_ptr = nn.Parameter(torch.zeros(1, channels))
        learned = [self.maskmem_tpos_enc, self.no_mem_embed, self.no_mem_pos_enc, self.no_obj_ptr]
        if config.no_obj_embed_spatial:
            self.no_obj_embed_spatial = nn.Parameter(torch.zeros(1, config.mem_dim))
            learned.append(self.no_obj_embed_spatial)
        if config.add_tpos_enc_to_obj_ptrs:
            self.obj_ptr_tpos_proj = Linear(channels, config.mem_dim)
        for parameter in learned:
            nn.init.normal_(parameter, std=0.02)
        self.replays = True
        """Whether a GPU only does again what it once did for tensors of the same shapes, in inference mode."""
        self._encoding, self._following = Replay(self._encode), Replay(self._follow)
        self._decoding, self._remembering = Replay(self._decode), Replay(self._remember)

    @property
    def device(self) -> torch.device:
        return self.no_mem_embed.device

    @property
    def dtype(self) -> torch.dtype:
        return self.no_mem_embed.dtype

    def compile_parts(self, backend: str = "inductor") -> None:
        """Has torch.compile translate each part when it first meets a new kind of input, which takes a minute in all.

        Needs a C++ compiler, on a GPU Triton. Answers stay the same but for rounding. On a CPU memory attention is left
        as it is: object by object and in chunks that fit the cache.
        """
        trunk, attention = cast(Any, self.image_encoder.trunk), cast(Any, self.memory_attention)
        # Or what is kept would be made anew for each image.
        if self.config.trunk == "hiera":
            trunk.position = torch.compiler.disable(trunk.position)
        attention.tables = torch.compiler.disable(attention.tables)
        parts = [self.image_encoder, self.sam_mask_decoder, self.memory_encoder]
        for part in parts if self.device.type == "cpu" else [*parts, self.memory_attention]:
            part.compile(backend=backend)

    def prepare(self, images: Iterable[Tensor], size: int) -> Tensor:
        """B images (H, W, 3) uint8 RGB to the network's input (B, 3, size, size), each stretched to a square.

        Antialiased bilinear, as the original's image predictor; its video predictor uses bicubic for image files.
        """
        x = torch.cat([_stretch(image.to(self.device), size) for image in images])
        mean, std = _statistics(x.device)
        return x.div_(255).sub_(mean).div_(std).to(self.dtype)

    @property
    def replays_here(self) -> bool:
        """Whether it `replays`, and is on a GPU."""
        return self.replays and self.device.type == "cuda"

    @property
    def takes_filled_up(self) -> bool:
        """Whether `follow` is replayed if memory is filled up, so that it always has the same shape. What fills it up
        then costs next to nothing."""
        return self.replays and by_kernel(self.no_mem_embed, self.config.mem_dim)

    def _do(self, step: Replay, first: Tensor, *others: Tensor | None, recorded: bool = True) -> tuple[Tensor, ...]:
        """What a step returns, which is replayed if `replays`. recorded: whether this kind of arguments is worth it."""
        replaying = self.replays_here and torch.is_inference_mode_enabled()
        if recorded and replaying and not Replay.recording:
            with torch.cuda.device(first.device):  # on which recording goes on, whichever GPU the network is on
                return step(first, *others)
        return step.function(first, *others)

    def encode_image(self, images: Tensor) -> Features:
        """Encodes (B, 3, S, S) images from `prepare`."""
        return Features(*self._do(self._encoding, images))

    def _encode(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.image_encoder(images, self.sam_mask_decoder.conv_s0, self.sam_mask_decoder.conv_s1)

    def follow(
        self, features: Features, memory: Memory, wary: Tensor, expected: Tensor | None = None
    ) -> tuple[Choice, Tensor | None]:
        """Finds N objects on an image, or on one image each, by what is remembered of them; returns also the memories
        (N, h * w, mem_dim) of it. None where masks are refined: of those `encode_memory` makes them.

        wary: (N,) bool, of which objects a mask of all of the image is not believed, so that they count as out of it.
        expected: (N, S / 4, S / 4) bool masks. Of an object's readings the one is taken whose predicted IoU and whose
        IoU with that have the highest sum: a mask does not become another from one frame to the next. Without, as in
        SAM 2, the first alone counts.
        """
        found = self._do(
            self._following, features.fine, features.middle, features.top, memory.frames, memory.ages, memory.pointers,
            memory.pointer_ages, memory.used, wary, expected,
            recorded=self.takes_filled_up and memory.used is not None,
        )  # fmt: skip
        return (Choice(*found), None) if self.config.refined_size else (Choice(*found[:-1]), found[-1])

    def _follow(
        self,
        fine: Tensor,
        middle: Tensor,
        top: Tensor,
        frames: Tensor,
        ages: Tensor,
        pointers: Tensor,
        pointer_ages: Tensor,
        used: Tensor | None,
        wary: Tensor,
        expected: Tensor | None,
    ) -> tuple[Tensor, ...]:
        features = Features(fine, middle, top)
        conditioned = self.attend(top, Memory(frames, ages, pointers, pointer_ages, used))
        choice = self.find(features, conditioned, expected, wary)
        chosen = choice.logits, choice.raw, choice.iou, choice.pointer, choice.score
        if choice.embedding is not None:
            return (*chosen, choice.embedding)
        return (*chosen, self.encode_memory(top, enlarge(choice.logits).sigmoid(), choice.score))

    def find(self, features: Features, conditioned: Tensor, expected: Tensor | None, wary: Tensor) -> Choice:
        """Where N objects are, on features that were conditioned on what they remember; expected, wary: as in
        `follow`."""
        answer = self.decode(features, conditioned, *self.no_points(len(conditioned)))
        likeness = None if expected is None else overlap(answer.logits > 0, expected)
        choice = self.choose(answer, multimask=True, likeness=likeness)
        whole = (choice.logits > 0).float().mean(dim=(1, 2, 3)) > _WHOLE_IMAGE
        return self.hide(choice, whole & wary)

    def without_memory(self, top: Tensor) -> Tensor:
        """What takes the place of `attend` for an object that has no memory yet: (B, C, h, w) to the same."""
        return top + self.no_mem_embed.view(1, -1, 1, 1)

    def attend(self, top: Tensor, memory: Memory) -> Tensor:
        """Conditions the features (1 or N, C, h, w) of an image on the memory of N objects: (N, C, h, w)."""
        config = self.config
        objects, frames, pixels, _ = memory.frames.shape
        parts = config.d_model // config.mem_dim
        where = sine_grid(config.mem_dim, top.shape[2], top.shape[3], top.device).to(self.dtype)
        # Slot 6 of the temporal encoding is the conditioning frames', slot k - 1 that of k frames ago.
        when = self.maskmem_tpos_enc[memory.ages - 1].view(objects, frames, 1, -1)
        # A pointer is cut into as many tokens as make it as narrow as a memory.
        pointers = memory.pointers.unflatten(2, (parts, config.mem_dim)).flatten(1, 2)
        place = torch.cat(((where + when).flatten(1, 2), self._pointer_place(memory, parts)), dim=1)
        tokens = torch.cat((memory.frames.flatten(1, 2).to(self.dtype), pointers), dim=1)
        used = None
        if memory.used is not None:
            used = torch.stack((memory.used[:, 0] * pixels, memory.used[:, 1] * parts), dim=1)
        return self.memory_attention(top, tokens, place, pointers.shape[1], used)

    def _pointer_place(self, memory: Memory, parts: int) -> Tensor:
        """(N, P * parts, mem_dim), the encoding of each pointer's age."""
        ages, config = memory.pointer_ages, self.config
        if not config.add_tpos_enc_to_obj_ptrs:
            return memory.pointers.new_zeros(*ages.shape, config.mem_dim).repeat_interleave(parts, 1)
        # The original divides by the length of the video where it is shorter than 16 frames; a stream has no length.
        encoded = sine_time(ages / (config.max_obj_ptrs_in_encoder - 1), config.d_model).to(self.dtype)
        return self.obj_ptr_tpos_proj(encoded).repeat_interleave(parts, 1)

    def decode(
        self, features: Features, conditioned: Tensor, points: Tensor, labels: Tensor, mask: Tensor | None = None
    ) -> Answer:
        """Masks for N objects on one image, or on one image each.

        conditioned: (N, C, h, w) from `attend` or `without_memory`; points: (N, K, 2) pixels of the network's input;
        labels: (N, K) 1 object, 0 background, 2 and 3 corners of a box, -1 not a point; mask: (N, 1, S / 4, S / 4)
        logits of an earlier answer.
        """
        few = points.shape[1] <= 2  # of the many numbers of clicks that there may be, those that most prompts have
        given = features.fine, features.middle, conditioned, points, labels, mask
        return Answer(*self._do(self._decoding, *given, recorded=few))

    def _decode(
        self, fine: Tensor, middle: Tensor, conditioned: Tensor, points: Tensor, labels: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, ...]:
        height, width = conditioned.shape[2:]
        sparse = self.sam_prompt_encoder.points(points, labels, 16 * height)
        dense = self.sam_prompt_encoder.masks(mask)
        place = self.sam_prompt_encoder.pe_layer.grid(height, width)
        answer = self.sam_mask_decoder(conditioned + dense, place, sparse, middle, fine)
        given = answer.logits, answer.iou, answer.tokens, answer.score
        return (*given, answer.embedding) if self.config.refined_size else given

    def choose(
        self,
        answer: Answer,
        *,
        multimask: bool,
        rank: int = 0,
        stability: float = 0.98,
        likeness: Tensor | None = None,
    ) -> Choice:
        """Takes one of an answer's masks.

        multimask: the best of the three, for tracking and for a single click; otherwise the first, unless it is less
        stable than `stability`, 0 for never. rank: 0 takes the best of the three, 1 the next. likeness: (N, 4) what is
        added to the predicted IoU when the best is looked for.
        """
        value = answer.iou if likeness is None else answer.iou + likeness
        best = value[:, 1:].argsort(dim=1, descending=True, stable=True)[:, rank] + 1
        first = torch.zeros_like(best)
        if multimask:
            taken = token = best
        else:
            # The original takes the pointer from the first mask's token even where another mask is shown.
            token = first
            taken = torch.where(_stability(answer.logits[:, 0]) >= stability, first, best)
        rows = torch.arange(len(best), device=best.device)
        present = answer.score > 0
        logits = answer.logits[rows, taken].unsqueeze(1)
        return Choice(
            logits=torch.where(present[:, None, None, None], logits, NO_OBJECT),
            raw=logits,
            iou=answer.iou[rows, taken],
            pointer=self.point_to(answer.tokens[rows, token], present),
            score=answer.score,
            embedding=answer.embedding,
        )

    def hide(self, choice: Choice, hidden: Tensor) -> Choice:
        """The choice with some objects, (N,) bool, taken to be out of the image."""
        shape = (-1, 1, 1, 1)
        return Choice(
            logits=torch.where(hidden.view(shape), NO_OBJECT, choice.logits),
            raw=torch.where(hidden.view(shape), NO_OBJECT, choice.raw),
            iou=choice.iou,
            pointer=torch.where(hidden[:, None], self.no_obj_ptr, choice.pointer),
            score=torch.where(hidden, _ABSENT, choice.score),
            embedding=choice.embedding,
        )

    def point_to(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Object pointers (N, C) from mask tokens (N, C); objects that are not in the image (N,) share one."""
        return torch.where(present[:, None], self.obj_ptr_proj(tokens), self.no_obj_ptr)

    def take_mask(self, features: Features, mask: Tensor) -> Choice:
        """A mask prompt is its own answer: (N, 1, S, S) of 0 and 1."""
        small = shrink(20 * mask - 10)
        prompt = self.mask_downsample(mask)
        objects = len(mask)
        points, labels = self.no_points(objects)
        answer = self.decode(features, features.top.expand(objects, -1, -1, -1), points, labels, prompt)
        present = mask.flatten(1).any(dim=1)
        pointer = self.choose(answer, multimask=False).pointer
        return Choice(
            logits=small,
            raw=small,
            iou=torch.ones_like(answer.score),
            pointer=torch.where(present[:, None], pointer, self.no_obj_ptr),
            score=torch.where(present, _PRESENT, _ABSENT).to(pointer.dtype),
        )

    def refine(self, pictures: Tensor, logits: Tensor, embedding: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor]:
        """Masks of N objects with finer edges, where `Sam2Config.refined_size` is not 0.

        pictures: (N, 3, S, S) of each and a little around it, from `prepare`; logits: (N, 1, S / 2, S / 2) and
        embedding (N, C / 8, S / 2, S / 2) of its `Choice`, as they lie there; earlier: (N, 1, S, S) its mask on the
        image before, led to where the object is now, 1 in it and -1 outside; all 0 of one of which none is known.
        Returns logits (N, 1, S / 2, S / 2) without it, and (N, 1, S, S) with it.
        """
        maps = cast(Any, self.image_encoder.trunk).first_maps(pictures)
        return cast(tuple[Tensor, Tensor], self.mask_refiner(maps, logits, embedding, pictures, earlier))

    def no_points(self, objects: int) -> tuple[Tensor, Tensor]:
        """The points and labels of a frame without prompt, for N objects."""
        points = torch.zeros(objects, 1, 2, device=self.device)
        return points, torch.full((objects, 1), -1, dtype=torch.int64, device=self.device)

    def encode_memory(self, top: Tensor, masks: Tensor, score: Tensor) -> Tensor:
        """A memory (N, h * w, mem_dim) of N objects on an image.

        top: (1 or N, C, h, w); masks: (N, 1, S, S), 0 to 1; score: (N,) object score logits.
        """
        return self._do(self._remembering, top, masks, score)[0]

    def _remember(self, top: Tensor, masks: Tensor, score: Tensor) -> tuple[Tensor]:
        memory = self.memory_encoder(top, 20 * masks - 10).flatten(2).transpose(1, 2)
        if self.config.no_obj_embed_spatial:
            memory = memory + (score <= 0).to(memory.dtype)[:, None, None] * self.no_obj_embed_spatial
        return (memory,)


@cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (3, 1, 1) of the colours that the trunks were trained on."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (_MEAN, _STD))
        return mean, std


def _stretch(image: Tensor, size: int) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, size, size) float32."""
    # Colour by colour, or a CPU takes up to twice as long.
    x = image.permute(2, 0, 1).float().contiguous().unsqueeze(0)
    if x.shape[-2:] != (size, size):
        x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return x


def enlarge(logits: Tensor) -> Tensor:
    """(N, 1, S / 4, S / 4) to (N, 1, S, S), as memories are made of."""
    return F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)


def overlap(masks: Tensor, others: Tensor) -> Tensor:
    """IoU (N, M) of masks (N, M, h, w) with others (N, h, w); 0 where both are empty."""
    both, either = masks & others[:, None], masks | others[:, None]
    return both.sum(dim=(2, 3)) / either.sum(dim=(2, 3)).clamp(min=1)


def shrink(masks: Tensor) -> Tensor:
    """(N, 1, S, S) to (N, 1, S / 4, S / 4); in float32 inside, since half precision has no such kernel on the CPU."""
    edge = masks.shape[-1] // 4
    small = F.interpolate(masks.float(), size=(edge, edge), mode="bilinear", antialias=True)
    return small.to(masks.dtype)


def _stability(logits: Tensor, delta: float = 0.05) -> Tensor:
    """(N, H, W) logits to (N,): IoU of the masks cut at +delta and -delta; 1 where both are empty."""
    inner = (logits > delta).sum(dim=(1, 2)).float()
    outer = (logits > -delta).sum(dim=(1, 2)).float()
    return torch.where(outer > 0, inner / outer, 1.0)
