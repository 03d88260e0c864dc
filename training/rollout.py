"""A clip as the tracker would see it: prompted on the first frame, followed with memory, sometimes corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2_ros.network import Answer, Choice, Features, Memory, Sam2

from .losses import Losses, mask_losses

PROMPTS = ("mask", "box", "click")


@dataclass
class _Past:
    """Memories of the clip so far, of N objects; frame 0 and corrected frames are conditioning frames."""

    memories: list[Tensor]
    pointers: list[Tensor]
    frames: list[int]
    conditioning: list[bool]

    def memory(self, now: int, since_first: int, recent: int) -> Memory:
        """since_first: how many frames more than it is the first prompt is said to be old. recent: how many of the
        last frames are remembered, beside the conditioning frames."""
        count = len(self.memories[0])
        kept = [i for i, frame in enumerate(self.frames) if self.conditioning[i] or now - frame <= recent]
        ages = torch.tensor([0 if self.conditioning[i] else now - self.frames[i] for i in kept])
        past = torch.tensor([now - f + (since_first if f == 0 else 0) for f in self.frames])
        return Memory(
            frames=torch.stack([self.memories[i] for i in kept], dim=1),
            ages=ages.expand(count, -1).to(self.memories[0].device),
            pointers=torch.stack(self.pointers, dim=1),
            pointer_ages=past.expand(count, -1).to(self.memories[0].device),
        )


@dataclass(frozen=True)
class Rollout:
    losses: Losses
    chosen: list[Tensor]
    """For each frame (N, S / 4, S / 4) logits of the mask that tracking went on with."""


def roll(
    network: Sam2,
    images: Tensor,
    masks: Tensor,
    random: np.random.Generator,
    *,
    prompt: str,
    trusted: float,
    correct: float = 0.15,
    spoilt: float = 0.25,
    practices: int = 0,
    unlearned: int = 0,
) -> Rollout:
    """Runs a batch of clips through the network.

    images: (B, T, S, S, 3) uint8; masks: (B, T, K, S, S) bool; prompt: one of PROMPTS, on the first frame. trusted:
    probability that presence is told instead of predicted on a frame, so that early in training the memory holds
    masks at all. correct: probability of a corrective click on each later frame. spoilt: of what share of
    the memories `_spoil` takes or adds a piece. practices: on how many of the masks, drawn at random, `_practise` takes
    place. unlearned: how many frames after the first one are only followed, without a loss and without gradients: what
    goes wrong in the long run is then learnt from at the price of a short clip.
    """
    clips, frames, objects, size = masks.shape[:4]
    learned = [t for t in range(frames) if not 0 < t <= unlearned]
    encoded = network.encode_image(network.prepare(images[:, learned].flatten(0, 1), size))
    losses = _practise(network, encoded, masks[:, learned], random, practices)
    past = _Past([], [], [], [])
    chosen: list[Tensor] = []
    since_first = int(random.integers(0, 300)) if random.random() < 0.5 else 0
    recent = network.config.num_maskmem - 1
    for t in range(frames):
        with torch.set_grad_enabled(torch.is_grad_enabled() and t in learned):
            if t in learned:
                features = _of_frame(encoded, learned.index(t), clips, objects)
            else:
                features = _of_frame(network.encode_image(network.prepare(images[:, t], size)), 0, clips, objects)
            truth = masks[:, t].flatten(0, 1)
            told = truth.flatten(1).any(1) if random.random() < trusted else None
            if t == 0:
                choice, loss = _first(network, features, truth, random, prompt, told)
                conditioning = True
            else:
                conditioned = network.attend(features.top, past.memory(t, since_first, recent))
                answer = network.decode(features, conditioned, *network.no_points(len(truth)))
                choice, loss = _learn(network, answer, truth, told, multimask=True)
                conditioning = random.random() < correct
                if conditioning:
                    choice, more = _click(network, features, conditioned, choice, truth, random, told)
                    loss = [*loss, *more]
            remembered = choice if conditioning else replace(choice, logits=_spoil(choice.logits, spoilt, random))
            past.memories.append(_remember(network, features, remembered, binary=conditioning))
        if t in learned:
            losses += loss
        else:
            torch.clear_autocast_cache()  # weights cast where nothing is learnt would not be learnt later either
        chosen.append(choice.logits[:, 0].detach())
        past.pointers.append(choice.pointer)
        past.frames.append(t)
        past.conditioning.append(conditioning)
    return Rollout(sum(losses[1:], losses[0]), chosen)


def learn_clicks(network: Sam2, images: Tensor, truth: Tensor, random: np.random.Generator) -> Losses:
    """The loss of a click, sometimes of one more, on each of N images without memory.

    images: (N, S, S, 3) uint8; truth: (N, S, S) masks.
    """
    features = network.encode_image(network.prepare(images, truth.shape[-1]))
    losses = _first(network, features, truth, random, "click", None)[1]
    return sum(losses[1:], losses[0])


def _practise(network: Sam2, encoded: Features, masks: Tensor, random: np.random.Generator, count: int) -> list[Losses]:
    """Boxes and clicks without memory on frames that are encoded anyway: prompts are what takes longest to learn.

    masks: (B, T, K, S, S), of which `count` that are not empty get a box or a click, about as many of each.
    """
    truth = masks.flatten(0, 2)
    shown = truth.flatten(1).any(1).nonzero()[:, 0]
    shown = shown[torch.from_numpy(random.permutation(len(shown))[:count]).to(shown.device)]
    losses: list[Losses] = []
    for prompt, rows in zip(("box", "click"), shown.tensor_split(2), strict=True):
        if len(rows):
            frames = rows // masks.shape[2]
            features = Features(encoded.fine[frames], encoded.middle[frames], encoded.top[frames])
            losses += _first(network, features, truth[rows], random, prompt, None)[1]
    return losses


def _of_frame(encoded: Features, t: int, clips: int, objects: int) -> Features:
    """The features of frame t of those encoded, once for each object of each clip."""

    def pick(maps: Tensor) -> Tensor:
        return maps.unflatten(0, (clips, -1))[:, t].repeat_interleave(objects, dim=0)

    return Features(pick(encoded.fine), pick(encoded.middle), pick(encoded.top))


def _learn(
    network: Sam2, answer: Answer, truth: Tensor, told: Tensor | None, *, multimask: bool
) -> tuple[Choice, list[Losses]]:
    """The loss of an answer, and the mask to go on with, where told gated by presence as it is in truth."""
    readings = slice(1, 4) if multimask else slice(0, 1)
    loss = mask_losses(answer.logits[:, readings], answer.iou[:, readings], answer.score, truth)
    if told is not None:
        answer = replace(answer, score=torch.where(told, 10.0, -10.0))
    return network.choose(answer, multimask=multimask, stability=0.0), [loss]


def _first(
    network: Sam2, features: Features, truth: Tensor, random: np.random.Generator, prompt: str, told: Tensor | None
) -> tuple[Choice, list[Losses]]:
    """The prompt on the first frame; a mask is taken as it is, but the decoder is taught to repeat it."""
    conditioned = network.without_memory(features.top)
    if prompt == "mask":
        mask = truth.unsqueeze(1).float()
        points, labels = network.no_points(len(truth))
        answer = network.decode(features, features.top, points, labels, network.mask_downsample(mask))
        _, loss = _learn(network, answer, truth, told, multimask=False)
        return network.take_mask(features, mask), loss
    points, labels = _box(truth, random) if prompt == "box" else _inside(truth, random)
    answer = network.decode(features, conditioned, points, labels)
    choice, loss = _learn(network, answer, truth, told, multimask=prompt == "click")
    if random.random() < 0.3:
        again, more = _click(network, features, conditioned, choice, truth, random, told, points, labels)
        return again, [*loss, *more]
    return choice, loss


def _click(
    network: Sam2,
    features: Features,
    conditioned: Tensor,
    choice: Choice,
    truth: Tensor,
    random: np.random.Generator,
    told: Tensor | None,
    points: Tensor | None = None,
    labels: Tensor | None = None,
) -> tuple[Choice, list[Losses]]:
    """One more click where the answer was wrong."""
    earlier = choice.logits.detach().float().clamp(-32, 32)
    predicted = F.interpolate(earlier, size=truth.shape[-2:], mode="bilinear", align_corners=False)[:, 0] > 0
    new_points, new_labels = _corrective(predicted, truth, random)
    if points is not None and labels is not None:
        new_points, new_labels = torch.cat((points, new_points), 1), torch.cat((labels, new_labels), 1)
    answer = network.decode(features, conditioned, new_points, new_labels, earlier)
    return _learn(network, answer, truth, told, multimask=new_labels.shape[1] == 1)


def _remember(network: Sam2, features: Features, choice: Choice, *, binary: bool) -> Tensor:
    size = 16 * features.top.shape[-1]
    logits = F.interpolate(choice.logits.float(), size=(size, size), mode="bilinear", align_corners=False)
    masks = (logits > 0).float() if binary else logits.sigmoid()
    return network.encode_memory(features.top, masks, choice.score)


def _spoil(logits: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Mask logits (N, 1, h, w) of which a share lose or gain a round piece: what is wrong in a memory must not stay
    wrong for ever, which clips that begin with the truth and are short would never teach."""
    height, width = logits.shape[-2:]
    rows, columns = torch.arange(height, device=logits.device)[:, None], torch.arange(width, device=logits.device)
    out = []
    for one in logits.split(1):
        found = (one[0, 0] > 0).nonzero().cpu().numpy()
        if len(found) and random.random() < share:
            y, x = found[random.integers(len(found))]
            gains = random.random() < 0.4
            reach = float(random.uniform(0.25, 0.7)) * len(found) ** 0.5
            if gains:  # somewhere about the object, not in the middle of it
                y, x = np.array((y, x)) + random.normal(0, reach, 2)
            piece = (rows - float(y)) ** 2 + (columns - float(x)) ** 2 < reach**2
            one = torch.where(piece, 6.0 if gains else -6.0, one)
        out.append(one)
    return torch.cat(out)


def _corrective(predicted: Tensor, truth: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A pixel of each object's error: (N, 1, 2) x y and (N, 1) labels, 1 where something is missing."""
    points, labels = [], []
    for guess, true in zip(predicted.cpu().numpy(), truth.cpu().numpy(), strict=True):
        wrong = guess != true
        rows, columns = np.nonzero(wrong if wrong.any() else true if true.any() else ~true)
        index = random.integers(len(rows))
        points.append([[float(columns[index]), float(rows[index])]])
        labels.append([int(true[rows[index], columns[index]])])
    return torch.tensor(points, device=truth.device), torch.tensor(labels, device=truth.device)


def _inside(truth: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A click on each object; people click near the middle, so half of the clicks are drawn from the inner part."""
    points = []
    for mask in truth.cpu().numpy():
        rows, columns = np.nonzero(mask)
        if not len(rows):
            points.append([[0.0, 0.0]])
            continue
        drawn = random.integers(len(rows), size=8 if random.random() < 0.5 else 1)
        middle = np.median(rows), np.median(columns)
        nearest = drawn[np.argmin((rows[drawn] - middle[0]) ** 2 + (columns[drawn] - middle[1]) ** 2)]
        points.append([[float(columns[nearest]), float(rows[nearest])]])
    labels = truth.flatten(1).any(1).long().unsqueeze(1)
    return torch.tensor(points, device=truth.device), labels.to(truth.device)


def _box(truth: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The box of each object, drawn as loosely as people do."""
    points = []
    for mask in truth.cpu().numpy():
        rows, columns = np.nonzero(mask)
        box = (
            np.array([0, 0, 1, 1])
            if not len(rows)
            else np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        )
        edge = np.array([box[2] - box[0], box[3] - box[1]] * 2)
        box = (box + random.normal(0, 0.05, 4) * edge).clip(0, mask.shape[0])
        points.append(box.reshape(2, 2).tolist())
    return torch.tensor(points, device=truth.device), torch.tensor([[2, 3]] * len(points), device=truth.device)
