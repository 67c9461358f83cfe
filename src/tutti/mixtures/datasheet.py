"""The datasheet that travels with a set of mixtures."""

from typing import Any

from tutti.config import MixParams
from tutti.labels import OPENMIC

_METHOD = {
    "published": """\
- Each mixture has one note of each of its instruments. A note shorter than the mixture is looped, a longer one is cut.
- Each note is brought to peak 1, then to a gain drawn evenly from {gains[0]:g} to {gains[1]:g} dB; the sum is brought
  to peak 1.
- The first instrument is one of the eight NSynth families that stand for a class. brass, reed and string name groups of
  instruments: they may sound, and set no label.""",
    "musical": """\
- The instruments of a mixture share a key, a chord a bar, tempo and metre. Each plays several notes of one recording
  chain on the beat: melodies, chords, bass lines, patterns of percussion. Notes whose name states no pitch are played
  as they are; phrases are cut to excerpts. Nothing is looped.
- Where it helps to meet the key, a note's pitch is changed by resampling, by {max_shift} semitones at most.
- Levels of instruments: normally distributed, standard deviation {part_spread_db:g} dB. Levels of mixtures: mean
  {level_dbfs:g} dBFS, standard deviation {level_spread_db:g} dB, with peaks up to {peak_dbfs:g} dBFS.
- {room:.0%} of the mixtures have a room: decaying noise that all instruments share, each at a distance of its own.
- Each instrument has a low and a high shelf of up to {equalise_db:g} dB, the whole mixture half of that.
- A floor of pink noise, 50 to 80 dB below the instruments.
- The band of a mixture ends at a random frequency that does not depend on its instruments; only recordings whose own
  band reaches that far play.
- Instruments come up equally often. No note is used in two splits.
- An instrument is labelled as present when its level is above {heard_db:g} dB relative to the mixture for at least
  {heard_s:g} s; one that stays below that is unknown. While brass, reed or string plays, the classes that it may be are
  unknown. In a mixture with an excerpt of IRMAS every class that was not named is unknown.""",
}

_LIMITS = {
    "published": """\
- All notes start together and repeat with the length of the note; real music does neither. A model may
  learn these cues.
- No room, no effects, no master.""",
    "musical": """\
- Notes are drawn from chords and scales, not composed; chains with few notes play dull melodies.
- The end of a band is told from the sample rate. A recording whose band ended earlier (a low-rate MP3) keeps that cue.
- No compression, no master.""",
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
    sound = "stereo" if generator == "musical" and params.musical.channels == 2 else "mono"
    lines = [
        "# Synthetic mixtures",
        "",
        f"{len(labels)} mixtures ({sizes}) of {params.duration_s:g} s, {sound}, {params.sample_rate} Hz, 16-bit FLAC.",
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
        _METHOD[generator].format(**params.musical.model_dump(), gains=params.gain_db),
        "- Every note, its place and its gain are in provenance.json.",
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
        "- Nothing above half the sample rate.",
        "- Good for training; a result measured on them says little about recordings.",
        "",
    ]
    return "\n".join(lines)
