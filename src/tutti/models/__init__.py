"""The models, one file per architecture; importing this package registers all of them."""

from tutti.models import cbam_cnn, passt, rf
from tutti.models.registry import ModelEntry, Preset, get_model, list_models, register_model

__all__ = ["ModelEntry", "Preset", "cbam_cnn", "get_model", "list_models", "passt", "register_model", "rf"]
