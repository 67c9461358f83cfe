"""What every network offers beside its forward pass: the transfer of pretrained weights, and its last layer."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from tutti.errors import ArtifactMismatch


class Network(nn.Module):
    """Base of the networks: features [batch, ...] to logits [batch, n_classes], or [batch, frames, n_classes].

    Parameters that a network does not train have ``requires_grad`` False, and its `train` keeps frozen parts in
    evaluation mode, so that not even a buffer of theirs moves.
    """

    #: Whether the network standardises its input with constants that `set_scaler` takes from the training rows.
    scales_input: ClassVar[bool] = False

    def encode(self, features: Tensor) -> Tensor | None:
        """The output of a frozen first part, [batch, ...], which training computes once and keeps.

        None where there is no such part: then `forward` sees the features in every step.
        """
        return None

    def decide(self, encoded: Tensor) -> Tensor:
        """Logits from what `encode` gave; ``forward(x)`` equals ``decide(encode(x))`` where there is an encoder."""
        raise NotImplementedError

    def set_scaler(self, mean: Tensor, std: Tensor) -> None:
        """Takes the constants that input is standardised with, float [values] each; see ``scales_input``."""
        raise NotImplementedError

    def extra_loss(self, features: Tensor, logits: Tensor) -> Tensor | None:
        """What training adds to the loss of the labels, a scalar; None for nothing.

        Args:
            features: The batch, as the forward pass got it.
            logits: What the forward pass made of it.
        """
        return None

    def after_step(self, step: int) -> None:
        """Called after every optimiser step, counted from 1 over all epochs."""

    def transferable(self) -> dict[str, Tensor]:
        """The weights that survive a change of task, by name."""
        raise NotImplementedError

    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        """Takes over pretrained weights.

        Args:
            state: What `transferable` of the pretrained network gave, or the public checkpoint's tensors.
            where: What they were read from, for the error message.

        Raises:
            ArtifactMismatch: They are not this network's.
        """
        raise NotImplementedError

    def last_layer(self) -> nn.Linear:
        """The layer whose outputs are the logits."""
        raise NotImplementedError

    def set_prior(self, prior: Tensor) -> None:
        """Starts the last bias at the log odds of ``prior``.

        Args:
            prior: Share of positives of each class, float [n_classes]; clipped to [1e-4, 1 - 1e-4].
        """
        with torch.no_grad():
            self.last_layer().bias.copy_(torch.logit(prior.clamp(1e-4, 1 - 1e-4)))


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Loads every tensor of ``module`` from ``state``, with names and shapes equal.

    Raises:
        ArtifactMismatch: A tensor is missing, left over or of another shape.
    """
    try:
        module.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise ArtifactMismatch(
            f"the weights in {where} do not fit the network",
            got=str(error),
            hint="use the weights of the same model and preset",
        ) from error
