"""OpenMIC's VGGish embeddings, as the dataset holds them: ten vectors of 128 whole numbers per clip.

The network that made them is not part of this package, so they are read and never computed.

References:
    Hershey et al., CNN architectures for large-scale audio classification, ICASSP 2017; quantised to eight bits as in
    OpenMIC-2018 (Humphrey, Durand and McFee, ISMIR 2018).
"""

from typing import ClassVar

from torch import Tensor
from typing_extensions import override

from tutti.errors import ConfigError
from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end

#: Segments of 0.96 s in a clip of ten seconds, and values of each: whole numbers from 0 to 255.
SHAPE = (10, 128)


class VggishConfig(FrontEndConfig):
    """The embeddings have no parameters; VGGish hears 16 kHz."""

    kind: str = "vggish"
    sample_rate: int = 16000
    stored: ClassVar[bool] = True


@register_front_end("vggish")
class Vggish(FrontEnd):
    """Stands for embeddings [batch, 10, 128] in [0, 255] that were read; training asks it for no more."""

    Config = VggishConfig

    @override
    def forward(self, samples: Tensor) -> Tensor:
        """Refuses.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "VGGish embeddings are not computed from samples: they come with OpenMIC-2018",
            hint="the model's preset `paper` takes a log-mel clip embedding of the same shape and can listen",
        )
