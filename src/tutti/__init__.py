"""Tutti tells which instruments play in a recording."""

from tutti import _torchaudio

__version__ = "0.1.0"

_torchaudio.install()
