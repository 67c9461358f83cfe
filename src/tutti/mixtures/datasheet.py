"""The datasheet that travels with a set of mixtures."""

from typing import Any

from tutti.config import MixParams
from tutti.labels import OPENMIC

_METHOD = {
    "published": """\
- Each mixture has one note of each of its instruments. A note shorter than the mixture is looped, a longer one is cut.
- Each note is brought to peak 1, then to its gain; the sum is brought to peak 1.
- The first instrument is one of the eight NSynth families that stand for a class. brass, reed and string name groups of
  instruments: they may sound, and set no label.""",
    "layered": """\
- Each instrument plays several notes of one recording chain, with random onsets, lengths and dynamics. Nothing is
  looped.
- Each instrument is brought to peak 1, then to its gain; the sum is brought to peak 1.
- Instruments are dealt from shuffled decks, so that all come up equally often. No note is used in two splits.""",
}

_LIMITS = {
    "published": """\
- All notes start together and repeat with the length of the note; real music does neither. A model may
  learn these cues.""",
    "layered": """\
- Instruments share neither key nor beat.""",
}


def datasheet(
    summary: dict[str, Any],
    pools: dict[str, dict[str, int]],
    params: MixParams,
    labels: list[dict[str, Any]],
    seed: int,
) -> str:
    """Markdown: what the mixtures are, what they were made from and how, and what they cannot show.

    Args:
        summary: Generator, source and number of mixtures per split.
        pools: Notes per split and label.
        params: How they were made.
        labels: The rows of labels.csv.
        seed: The seed.
    """
    if summary["generator"] is None:
        return f"# Synthetic mixtures\n\nThere are none: {summary['source']}.\n"
    generator = summary["generator"]
    sizes = ", ".join(f"{count} {split}" for split, count in summary["mixtures"].items() if count)
    low, high = params.gain_db
    lines = [
        "# Synthetic mixtures",
        "",
        f"{len(labels)} mixtures ({sizes}) of {params.duration_s:g} s, mono, {params.sample_rate} Hz, 16-bit FLAC.",
        "**Synthetic**: no musician played any of them.",
        "",
        "## Made from",
        "",
        f"Notes of {summary['source']}. Their licence applies to the mixtures, too.",
        "",
    ]
    for split, counts in pools.items():
        notes = ", ".join(f"{label} {count}" for label, count in counts.items())
        lines.append(f"- {split}: {notes or 'no notes'}")
    polyphonies = sorted({row["polyphony"] for row in labels})
    lines += [
        "",
        "## How",
        "",
        f"- Generator `{generator}`, seed {seed}, {polyphonies[0]} to {polyphonies[-1]} instruments in a mixture.",
        f"- The gain of an instrument is drawn evenly from {low:g} to {high:g} dB.",
        _METHOD[generator],
        "- Every note and gain is in provenance.json.",
        "",
        "## Labels",
        "",
        "y = 1 when the instrument sounds; m = 1 when that is known. m = 0 means unknown, not absent.",
        "",
        "| class | present | known |",
        "|---|---|---|",
    ]
    for name in OPENMIC:
        present, known = (sum(row[f"{kind}_{name}"] for row in labels) for kind in "ym")
        lines.append(f"| {name} | {present} | {known} |")
    lines += [
        "",
        "## Limits",
        "",
        _LIMITS[generator],
        "- No room, no effects, no master; nothing above half the sample rate.",
        "- Good for training; a result measured on them says little about recordings.",
        "",
    ]
    return "\n".join(lines)
