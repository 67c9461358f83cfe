"""All four corpora, one writer each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tutti.rendering import irmas, musicnet, nsynth, openmic
from tutti.rendering.instruments import FONTS
from tutti.rendering.synth import check_tools

#: The writer of each dataset, ``(data folder, seed)``.
WRITERS: Mapping[str, Callable[[Path, int], object]] = MappingProxyType(
    {"openmic": openmic.write, "irmas": irmas.write, "nsynth": nsynth.write, "musicnet": musicnet.write}
)


def write(root: Path, seed: int, only: list[str]) -> None:
    """Renders the named datasets.

    Args:
        root: The data folder; ``<root>/<dataset>/`` gets the archives, which replace those of the same name.
        seed: Decides everything: the same seed, packages and machine type give the same bytes.
        only: Names from `WRITERS`.

    Raises:
        DataError: FluidSynth or a SoundFont is missing.
    """
    check_tools(FONTS)
    for name in only:
        WRITERS[name](root, seed)
