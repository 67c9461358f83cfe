"""The model card: what a person has to know before using a bundle."""

from collections.abc import Mapping

from tutti.models.registry import ModelEntry
from tutti.tasks import get_task


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
    chosen, task = entry.preset(preset), get_task(entry.task)
    unit = "every frame of a window" if task.frames else "a window"
    says = (
        f"which one of {len(task.labels)} instruments {unit} of {chosen.window.length_s:.4g} s has"
        if task.exclusive
        else f"for each of {len(task.labels)} labels, how probable it is in {unit} of {chosen.window.length_s:.4g} s"
    )
    deaf = "; it only comes with its dataset, so the model hears no new recordings" if chosen.front_end.stored else ""
    size = f"{chosen.trainable_params:,} trained" if chosen.trainable_params is not None else "depends on the data"
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items())
    published = "\n".join(f"- {name}: {value}" for name, value in entry.published.items())
    return f"""# {entry.name} ({preset})

{entry.summary[0].upper()}{entry.summary[1:]}. It tells {says}.

- Task: {task.name}, {task.summary}
- Paper: {entry.paper}
- Parameters: {size}
- Input: {chosen.front_end.kind} at {chosen.front_end.sample_rate} Hz, {list(chosen.input_shape)}{deaf}
- Started from: {started_from}
- Trained on: {training}
- Validated on: {validation}
- Seed: {seed}

## Results on the validation split

| metric | value |
|---|---|
{rows}

`f1_macro` is the mean F1 of the positive class, `f1_macro_two_class` the mean over both polarities, at the threshold
0.5. The epoch was chosen on these clips, so they flatter the model; the evaluation on test does not.

## Published results

{published}

They are of other data and, with the preset `mini`, of a larger model.

## Limits

A probability says nothing about instruments outside the labels: {", ".join(task.labels)}. Clips that nobody labelled
for a class taught the model nothing about it.
"""
