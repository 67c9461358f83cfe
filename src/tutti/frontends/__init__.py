"""Front ends: waveform to model input, one file each; the features step, training and serving use the same code."""

from tutti.frontends import clip_embedding, htk_mel, passt_mel, summary
from tutti.frontends.base import FrontEnd, FrontEndConfig, create_front_end, parse_front_end

__all__ = [
    "FrontEnd",
    "FrontEndConfig",
    "clip_embedding",
    "create_front_end",
    "htk_mel",
    "parse_front_end",
    "passt_mel",
    "summary",
]
