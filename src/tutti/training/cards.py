"""The model card: what a person has to know before using a bundle."""

from collections.abc import Mapping

from tutti.labels import OPENMIC
from tutti.models.registry import ModelEntry


def model_card(
    entry: ModelEntry,
    preset: str,
    *,
    metrics: Mapping[str, float],
    started_from: str,
    training: str,
    validation: str,
    seed: int,
) -> str:
    """The card of one trained model, Markdown.

    Args:
        entry: The model's registry entry.
        preset: Its size.
        metrics: Results on the validation split.
        started_from: Where training started.
        training: What it was trained on.
        validation: What it was validated on.
        seed: The run's seed.
    """
    chosen = entry.preset(preset)
    size = f"{chosen.trainable_params:,} trained" if chosen.trainable_params is not None else "depends on the data"
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items())
    published = "\n".join(f"- {name}: {value}" for name, value in entry.published.items())
    return f"""# {entry.name} ({preset})

{entry.summary[0].upper()}{entry.summary[1:]}. It tells, for each of {len(OPENMIC)} instruments, how probable it is \
that it plays in a window of {chosen.window.length_s:g} s.

- Paper: {entry.paper}
- Parameters: {size}
- Input: {chosen.front_end.kind} at {chosen.front_end.sample_rate} Hz, {list(chosen.input_shape)}
- Started from: {started_from}
- Trained on: {training}
- Validated on: {validation}
- Seed: {seed}

## Results on the validation split

| metric | value |
|---|---|
{rows}

`f1_macro` is the mean F1 of the positive class, `f1_macro_two_class` the mean over both polarities. The epoch and the
thresholds were chosen on these clips, so they flatter the model; the evaluation on test does not.

## Published results

{published}

They are of other data and, unless the preset is `paper`, of a larger model.

## Limits

A probability says nothing about instruments outside the {len(OPENMIC)} classes: {", ".join(OPENMIC)}. Clips that
nobody labelled for a class taught the model nothing about it.
"""
