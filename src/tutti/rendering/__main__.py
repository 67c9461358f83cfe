"""``python -m tutti.rendering``: renders the embedded corpora."""

import argparse
import sys
from pathlib import Path

from tutti.errors import exit_code_of
from tutti.progress import log_to_stderr

_DATASETS = ("openmic", "irmas", "nsynth", "musicnet")
_SEED = 42


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line and renders.

    Returns:
        The exit code: 0, or that of the error that was printed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tutti.rendering",
        description="Renders the embedded corpora in the publishers' layouts: music composed by rule, played by "
        "FluidSynth (Debian: fluidsynth, fluid-soundfont-gm, musescore-general-soundfont-small, timgm6mb-soundfont).",
    )
    parser.add_argument("--out", type=Path, required=True, help="the data folder, usually data")
    parser.add_argument("--seed", type=int, default=_SEED, help="decides everything (default: %(default)s)")
    parser.add_argument("--only", choices=_DATASETS, action="append", help="one dataset; may be repeated")
    parser.add_argument("--force", action="store_true", help="replace archives that exist")
    options = parser.parse_args(arguments)
    only = options.only or list(_DATASETS)
    taken = [name for name in only if any((options.out / name).glob("*"))]
    if taken and not options.force:
        print(f"{options.out} already holds {', '.join(taken)}; --force replaces them", file=sys.stderr)
        return 2
    log_to_stderr()
    from tutti.rendering import corpus

    return exit_code_of(lambda: corpus.write(options.out, options.seed, only), name="rendering")


if __name__ == "__main__":
    raise SystemExit(main())
