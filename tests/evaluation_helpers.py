"""Small predictions with a known quality, and the folders that the steps around them read."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from tutti.evaluation.predictions import COLUMNS, Predictions, save_predictions
from tutti.labels import OPENMIC


def make_predictions(
    clips=60, *, split="test", skill=0.7, seed=0, noise_seed=None, density=1.0, dataset="openmic", names=OPENMIC
):
    """Predictions whose ranking is the truth (skill 1), chance (0) or in between; every clip is a group.

    ``seed`` decides labels and masks, ``noise_seed`` the errors.
    """
    truth = np.random.default_rng(seed)
    labels = (truth.random((clips, len(names))) < 0.5).astype(np.float32)
    mask = truth.random((clips, len(names))) < density
    noise = np.random.default_rng(seed + 1000 if noise_seed is None else noise_seed).random((clips, len(names)))
    clip_id = np.array([f"{dataset}/{split}{row:04d}" for row in range(clips)], object)
    return Predictions(
        names=names,
        clip_id=clip_id,
        frame=np.zeros(clips, np.int32),
        group=clip_id,
        dataset=np.full(clips, dataset, object),
        split=np.full(clips, split, object),
        synthetic=np.ones(clips, bool),
        probabilities=np.clip(skill * labels + (1 - skill) * noise, 0, 1).astype(np.float32),
        labels=labels,
        mask=mask,
    )


def join(*parts):
    """Several predictions as one."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return Predictions(names=parts[0].names, **columns)


def as_frames(predictions, frames):
    """The same cells as frames: every ``frames`` rows in order become one clip, which is a group of its own."""
    clip = np.array([f"musicnet/{row // frames:04d}" for row in range(len(predictions))], object)
    number = (np.arange(len(predictions)) % frames).astype(np.int32)
    return replace(predictions, clip_id=clip, group=clip, frame=number)


def write_model(folder, name, *, seed=0):
    """A real bundle of the mini preset: fitted forests on noise, or a network with random weights."""
    import tutti.models  # noqa: F401  registers them
    from tutti.bundle import write_bundle
    from tutti.models.registry import get_model

    entry = get_model(name)
    torch.manual_seed(seed)
    model = entry.build("mini")
    if entry.family == "forest":
        generator = np.random.default_rng(seed)
        features, truth = (
            generator.random((30, *entry.preset("mini").input_shape)),
            generator.random((30, entry.n_classes)),
        )
        model.fit(features, truth, np.ones(truth.shape, bool), trees=3, max_depth=3, seed=seed)
    write_bundle(
        folder,
        model=model,
        entry=entry,
        preset="mini",
        metrics={"map": 0.5},
        started_from="random",
        provenance={"seed": seed},
        card=f"# {name}\n",
    )
    return folder


def write_features(folder, *models, clips, windows=1, seed=0, synthetic=("mixtures",)):
    """A features folder with random features: ``clips`` has one row per clip, each cut into ``windows`` windows.

    Where the models' task is about frames, ``clips`` has one row per frame, and every clip is one window.
    """
    import tutti.models  # noqa: F401  registers them
    from tutti.models.registry import get_model
    from tutti.tasks import get_task

    task = get_task(get_model(models[0]).task)
    frames = int(clips.frame.max()) + 1 if task.frames else 1
    labels, mask = clips.labels, clips.mask
    if task.frames:
        labels, mask = (values.reshape(-1, frames, len(clips.names)) for values in (labels, mask))
        clips = clips.take(np.arange(0, len(clips), frames))
    rows = [
        {
            "clip_id": clips.clip_id[clip],
            "dataset": clips.dataset[clip],
            "split": clips.split[clip],
            "group": clips.group[clip],
            "synthetic": clips.dataset[clip] == "mixtures",
            "start_s": 10.0 * window,
            "native_labels": "",
        }
        for clip in range(len(clips))
        for window in range(windows)
    ]
    place = folder / task.name
    place.mkdir(parents=True)
    pd.DataFrame(rows).rename_axis("row").reset_index().to_parquet(place / "index.parquet", index=False)
    np.save(place / "labels.npy", np.repeat(labels, windows, axis=0))
    np.save(place / "mask.npy", np.repeat(mask, windows, axis=0))
    for name in models:
        preset = get_model(name).preset("mini")
        values = np.random.default_rng(seed).random((len(rows), *preset.input_shape), np.float32)
        np.save(place / f"{preset.front_end.key}.npy", values.astype(np.float16))
    description = {
        "provenance": {"data": {"manifest": "5" * 64}},
        "synthetic": list(synthetic),
        "sets": {task.name: {}},
    }
    (folder / "features.json").write_text(json.dumps(description))
    return folder


def write_evaluation(folder, bundle, predictions, *, data=None):
    """What the evaluate step writes for a bundle, with given predictions."""
    from tutti.bundle import bundle_digest

    folder.mkdir(parents=True)
    save_predictions(predictions, folder / "predictions.parquet")
    document = {
        "model": folder.name,
        "preset": "mini",
        "digest": bundle_digest(bundle),
        "data": data or {"name": "openmic", "synthetic": True, "sha256": "5" * 64},
        "valid": {},
        "test": {},
    }
    (folder / "evaluation.json").write_text(json.dumps(document))
    return folder


def valid_and_test(*, skill=0.3, noise_seed=1, clips=60, names=OPENMIC):
    """Predictions on both splits."""
    return join(
        *(
            make_predictions(clips, split=split, skill=skill, seed=seed, noise_seed=10 * noise_seed + seed, names=names)
            for seed, split in enumerate(("valid", "test"))
        )
    )
