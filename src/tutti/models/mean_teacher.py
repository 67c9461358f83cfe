"""Mean Teacher: two attention networks, one of which is the running mean of the other and shows it what to expect.

References:
    Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017; applied to missing labels by Gururani and
    Lerch, Semi-supervised audio classification with partially labeled data, 2021. The published program let the
    teacher start from random weights of its own, and reported the student's numbers as the teacher's; here the teacher
    starts as a copy of the student, and each answers for itself.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from tutti.models.attention_mic import AttentionMic, attention_presets
from tutti.models.network import Network
from tutti.models.registry import register_model


class MeanTeacher(Network):
    """A student that learns from labels and from agreeing with its teacher, also where there is no label.

    In training both see the same clips with dropout of their own, which is all that tells them apart; the teacher's
    batch normalisation keeps statistics of its own. So the teacher is in training mode beside the student although
    nothing of it is trained by gradients.

    Args:
        n_classes: Outputs.
        consistency_weight: Factor of the disagreement in the loss, constant.
        answers: Who answers in evaluation mode. The method's answer is the teacher's: the mean of the weights of many
            steps is the better model. What was published as the teacher's were the student's numbers, so comparing with
            them takes ``student``.
        options: The networks', see `AttentionMic`.
    """

    #: The largest share of itself that the teacher keeps in a step.
    MAX_DECAY = 0.999

    def __init__(
        self,
        *,
        n_classes: int,
        consistency_weight: float = 3.0,
        answers: Literal["teacher", "student"] = "teacher",
        **options: Any,
    ) -> None:
        super().__init__()
        self.consistency_weight = consistency_weight
        self.answers = answers
        self.student = AttentionMic(n_classes=n_classes, **options)
        self.teacher = AttentionMic(n_classes=n_classes, **options).requires_grad_(False)
        self._copy_student()

    def _copy_student(self) -> None:
        self.teacher.load_state_dict(self.student.state_dict())

    def forward(self, features: Tensor) -> Tensor:
        """Logits from embeddings: the student's in training mode, else those of the one that ``answers``.

        Args:
            features: float32 [batch, segments, width].

        Returns:
            float32 [batch, n_classes].
        """
        network = self.student if self.training or self.answers == "student" else self.teacher
        return network(features)

    @override
    def extra_loss(self, features: Tensor, logits: Tensor) -> Tensor:
        """``consistency_weight`` times the mean squared difference of probabilities, over all cells, asked or not."""
        with torch.no_grad():
            wanted = torch.sigmoid(self.teacher(features))
        return self.consistency_weight * functional.mse_loss(torch.sigmoid(logits.float()), wanted)

    @staticmethod
    def decay(step: int) -> float:
        """The share of itself that the teacher keeps in the step counted from 1: from 0.5 to 0.999 at step 999."""
        return min(1 - 1 / (step + 1), MeanTeacher.MAX_DECAY)

    @override
    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Moves the teacher's parameters towards the student's; its batch normalisation statistics are its own."""
        for mean, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(new, 1 - self.decay(step))

    @override
    def transferable(self) -> dict[str, Tensor]:
        return (self.student if self.answers == "student" else self.teacher).transferable()

    @override
    def load_transferable(self, state: Mapping[str, Tensor], *, where: str) -> None:
        self.student.load_transferable(state, where=where)
        self._copy_student()

    @override
    def last_layer(self) -> nn.Linear:
        return self.student.last_layer()

    @override
    def set_prior(self, prior: Tensor) -> None:
        super().set_prior(prior)
        self._copy_student()


@register_model(
    "mean_teacher",
    family="network",
    system="ast-reprogramming",
    summary="the attention network taught by its own running mean, also on unasked labels",
    paper="Gururani and Lerch 2021 (Mean Teacher)",
    published={"f1_macro_two_class": "0.813 (OpenMIC-2018, official split, VGGish embeddings)"},
    # The published program's last dropout, 0.8, was for another dataset; 0.6 is its authors' for OpenMIC.
    presets=attention_presets(paper_dropout=0.6, mini_dropout=0.3, networks=2),
)
def mean_teacher(*, n_classes: int, **options: Any) -> MeanTeacher:
    """Student and teacher with the same random weights."""
    return MeanTeacher(n_classes=n_classes, **options)
