"""Front ends: waveform to model input, one file each; the features step, training and serving use the same code."""

import importlib
import pkgutil

from tutti.frontends.base import FrontEnd, FrontEndConfig, create_front_end, parse_front_end, require_listening

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["FrontEnd", "FrontEndConfig", "create_front_end", "parse_front_end", "require_listening"]
