"""The models, one file per architecture; importing this package registers all of them."""

import importlib
import pkgutil

from tutti.models.registry import ModelEntry, Preset, get_model, list_models, register_model

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["ModelEntry", "Preset", "get_model", "list_models", "register_model"]
