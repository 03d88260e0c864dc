"""The running mean of what is learnt."""

from __future__ import annotations

from torch import nn


class Average:
    """A running mean of the weights, which is what is kept in the end."""

    def __init__(self, network: nn.Module) -> None:
        self.state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
        self.count = 0

    def update(self, network: nn.Module) -> None:
        self.count += 1
        keep = min(0.998, self.count / (self.count + 10))
        for key, tensor in network.state_dict().items():
            self.state[key].lerp_(tensor.detach(), 1 - keep)

    def copy(self, other: Average) -> None:
        self.state = {key: tensor.clone() for key, tensor in other.state.items()}

    def mix(self, other: Average, share: float) -> None:
        """Takes the mean of both, weighted; share: of the other."""
        for key, tensor in other.state.items():
            self.state[key].lerp_(tensor, share)
