"""Datasets in their publishers' layouts, and the manifest that describes all of their clips."""

from tutti.datasets.build import LAYOUTS, build_manifest

__all__ = ["LAYOUTS", "build_manifest"]
