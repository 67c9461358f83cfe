"""A tiny corpus in the four official layouts, so that tests run the real pipeline in seconds.

Every class has a timbre of its own (a formant, a share of noise, a decay), so that even a tiny model learns a little.
"""

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from tutti.labels import IRMAS, MUSICNET, MUSICNET_TO_OPENMIC, NSYNTH, NSYNTH_TO_OPENMIC, OPENMIC, OPENMIC_INDEX

RENDERED = json.dumps({"description": "tones made by the tests", "licence": "MIT"}).encode()

_OPENMIC_RATE = 44100
_NOISY = {"cymbals": 1.0, "drums": 0.8, "voice": 0.15, "flute": 0.1, "mallet_percussion": 0.2}
_DECAYING = {"banjo": 8.0, "bass": 2.0, "drums": 12.0, "guitar": 3.0, "mallet_percussion": 10.0, "mandolin": 6.0}
_DECAYING |= {"piano": 2.5, "ukulele": 5.0}


def timbre(name: str, seconds: float, rate: int, generator: np.random.Generator) -> np.ndarray:
    """A sound of the OpenMIC class ``name``: float32 [n], peak 0.5."""
    index, length = OPENMIC_INDEX[name], round(seconds * rate)
    times = np.arange(length) / rate
    pitch = 110.0 * 2 ** (generator.integers(0, 24) / 12)
    centre = 150.0 * 2 ** (index * 0.27)  # formants from 150 to 5,200 Hz
    partials = np.arange(1, 64) * pitch
    partials = partials[partials < min(rate / 2, 7500)]
    spectrum = np.zeros(length // 2 + 1, complex)
    levels = np.exp(-0.5 * (np.log2(partials / centre) / 0.4) ** 2) + 1e-4
    spectrum[np.round(partials * length / rate).astype(int)] = levels * np.exp(
        2j * np.pi * generator.uniform(size=len(partials))
    )
    tone = np.fft.irfft(spectrum, length)
    noise = generator.standard_normal(length)
    share = _NOISY.get(name, 0.01)
    sound = (1 - share) * tone / np.abs(tone).max() + share * noise / np.abs(noise).max()
    sound *= 1 + 0.3 * np.sin(2 * np.pi * (2 + index % 5) * times)
    sound *= np.exp(-_DECAYING.get(name, 0.0) * (times % 0.5)) * np.minimum(1, times / 0.01)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def encode(samples: np.ndarray, rate: int, kind: str, subtype: str | None = None) -> bytes:
    """A sound file from float32 [n] or [n, channels]."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar archive, compressed unless its name ends in .tar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    plain = path.suffix == ".tar"
    path.write_bytes(written.getvalue() if plain else gzip.compress(written.getvalue(), compresslevel=1, mtime=0))
    return path


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """A zip archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write_folder(path: Path, members: Mapping[str, bytes]) -> Path:
    """The members as plain files."""
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def openmic_members(seed: int = 0, clips: int = 72, seconds: float = 2.0) -> dict[str, bytes]:
    """OpenMIC-2018 with two clips per artist; each clip sounds three classes and is asked about six.

    The embeddings, alike in the npz and in vggish/, are random vectors of the classes that sound.

    The first two thirds are train. Any 20 neighbouring clips ask each class three times for yes and three for no.
    """
    generator = np.random.default_rng(seed)
    audio: dict[str, bytes] = {}
    vggish: dict[str, bytes] = {}
    keys, labels, metadata, relevance, mask, embeddings = [], [], [], [], [], []
    patterns = generator.uniform(-60, 60, (len(OPENMIC), 128))
    for number in range(clips):
        present = [(number + step) % 20 for step in (0, 7, 13)]
        absent = [(number + step) % 20 for step in (3, 10, 17)]
        key = f"{number + 1:06d}_{3840 * (number % 3)}"
        keys.append(key)
        stereo = np.zeros((round(seconds * _OPENMIC_RATE), 2), np.float32)
        for index in present:
            sound = timbre(OPENMIC[index], seconds, _OPENMIC_RATE, generator)
            left = generator.uniform(0.3, 0.7)
            stereo += sound[:, None] * np.array([left, 1 - left], np.float32)
        folder = f"openmic-2018/audio/{key[:3]}"
        audio[f"{folder}/{key}.ogg"] = encode(0.9 * stereo / np.abs(stereo).max(), _OPENMIC_RATE, "OGG", "VORBIS")
        row, asked = np.full(20, 0.5), np.zeros(20, bool)
        row[present], row[absent] = 0.9, 0.1
        asked[present + absent] = True
        relevance.append(row)
        mask.append(asked)
        mean = 128 + patterns[present].mean(axis=0)
        embeddings.append(np.clip(mean + generator.normal(0, 8, (10, 128)), 0, 255).astype(np.int64))
        times = [round(0.96 * segment, 2) for segment in range(10)]
        embedding = {"time_points": times, "features": embeddings[-1].tolist()}
        vggish[f"openmic-2018/vggish/{key[:3]}/{key}.json"] = json.dumps(embedding).encode()
        labels += [[key, OPENMIC[index], row[index], 3] for index in sorted(present + absent)]
        metadata.append([f"artist {number // 2}", number // 2, f"track {number}", "[{'genre': 'Pop'}]", key, 0])
    # A pair that was asked about twice: the last row is the one that the arrays hold.
    labels.insert(0, [labels[0][0], labels[0][1], 0.2 if labels[0][2] > 0.5 else 0.8, 1])
    arrays = {
        "X": np.stack(embeddings),
        "Y_true": np.stack(relevance),
        "Y_mask": np.stack(mask),
        "sample_key": np.array(keys, dtype=object),
    }
    npz = io.BytesIO()
    with zipfile.ZipFile(npz, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", _npy(array))
    train = clips * 2 // 3 // 2 * 2
    return {
        "openmic-2018/openmic-2018.npz": npz.getvalue(),
        **audio,
        **vggish,
        "openmic-2018/openmic-2018-aggregated-labels.csv": csv_bytes(
            [["sample_key", "instrument", "relevance", "num_responses"], *labels]
        ),
        "openmic-2018/openmic-2018-metadata.csv": csv_bytes(
            [["artist_name", "artist_id", "track_title", "track_genres", "sample_key", "start_time"], *metadata]
        ),
        "openmic-2018/class-map.json": json.dumps(dict(OPENMIC_INDEX)).encode(),
        "openmic-2018/partitions/split01_train.csv": csv_bytes([key] for key in keys[:train]),
        "openmic-2018/partitions/split01_test.csv": csv_bytes([key] for key in keys[train:]),
        "openmic-2018/RENDERED.json": RENDERED,
    }


def irmas_members(seed: int = 0, seconds: float = 1.0, *, songs: int = 2) -> dict[str, dict[str, bytes]]:
    """IRMAS: training excerpts of as many songs per code in the three name patterns, two excerpts in each test part."""
    generator = np.random.default_rng(seed)
    training = {"IRMAS-TrainingData/README.txt": b"made by the tests", "IRMAS-TrainingData/RENDERED.json": RENDERED}

    def excerpt(codes: Iterable[str]) -> bytes:
        mixed = sum(timbre(IRMAS[code], seconds, 44100, generator) for code in codes)
        return encode(np.repeat(0.9 * mixed[:, None] / np.abs(mixed).max(), 2, axis=1), 44100, "WAV", "PCM_16")

    song = 0
    for code in IRMAS:
        for number in range(songs):
            song += 1
            name = ("[{code}][cla]{song:04d}__1.wav", "{song:03d}__[{code}][nod][jaz_blu]{song:04d}__2.wav")[number % 2]
            name = name if song % 3 else "[{code}][dru][pop_roc]{song:04d}__3.wav"
            training[f"IRMAS-TrainingData/{code}/{name.format(code=code, song=song)}"] = excerpt([code])
    archives = {"IRMAS-TrainingData.zip": training}
    codes = list(IRMAS)
    for part, inner in ((1, "Part1"), (2, "IRTestingData-Part2"), (3, "Part3")):
        members = {f"{inner}/README.txt": b"made by the tests"}
        for number in range(2):
            chosen = [codes[(3 * part + 4 * number) % 11], codes[(5 * part + number) % 11]][: number + 1]
            chosen = list(dict.fromkeys(chosen))
            stem = f"{inner}/(0{part}) Some Song (live)-{number + 1}"
            members[f"{stem}.wav"] = excerpt(chosen)
            members[f"{stem}.txt"] = "".join(f"{code}\t\n" for code in chosen).encode()
        archives[f"IRMAS-TestingData-Part{part}.zip"] = {"RENDERED.json": RENDERED, **members}
    return archives


def nsynth_members(seed: int = 0, seconds: float = 1.0) -> dict[str, dict[str, bytes]]:
    """NSynth: per family two training notes of one instrument, one validation and one test note (no synth_lead)."""
    generator = np.random.default_rng(seed)
    stand_in = {**NSYNTH_TO_OPENMIC, "brass": "trumpet", "reed": "saxophone", "string": "violin"}
    archives = {}
    for split, instrument, notes in (("train", 0, 2), ("valid", 1, 1), ("test", 2, 1)):
        folder, examples, members = f"nsynth-{split}", {}, {}
        for family, name in enumerate(NSYNTH):
            if name == "synth_lead" and split != "train":
                continue
            for note in range(notes):
                source = "synthetic" if name == "synth_lead" else "acoustic"
                instrument_str = f"{name}_{source}_{instrument:03d}"
                note_str = f"{instrument_str}-{60 + note:03d}-100"
                examples[note_str] = {
                    "note": family * 10 + note,
                    "note_str": note_str,
                    "instrument": instrument * 11 + family,
                    "instrument_str": instrument_str,
                    "pitch": 60 + note,
                    "velocity": 100,
                    "sample_rate": 16000,
                    "qualities": [0] * 10,
                    "qualities_str": [],
                    "instrument_family": family,
                    "instrument_family_str": name,
                    "instrument_source": 2 if source == "synthetic" else 0,
                    "instrument_source_str": source,
                }
                sound = timbre(stand_in[name], seconds, 16000, generator)
                members[f"{folder}/audio/{note_str}.wav"] = encode(sound, 16000, "WAV", "PCM_16")
        archives[f"nsynth-{split}.jsonwav.tar.gz"] = {
            f"{folder}/examples.json": json.dumps(examples).encode(),
            **members,
            f"{folder}/RENDERED.json": RENDERED,
        }
    return archives


def musicnet_members(seed: int = 0, seconds: float = 2.0, *, takes: int = 1) -> dict[str, bytes]:
    """MusicNet: takes of two training pieces and a test piece; their labels cover all 11 codes and leave a gap."""
    generator = np.random.default_rng(seed)
    header = ["start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value"]
    members: dict[str, bytes] = {"musicnet/RENDERED.json": RENDERED}
    played = ((1, 7, 41, 42), (43, 44, 69, 74))
    pieces = [(str(1727 + take), "train", played[take % 2]) for take in range(2 * takes)]
    pieces.append(("1759", "test", (61, 71, 72)))
    for number, split, codes in pieces:
        rows, mixed = [], np.zeros(round(seconds * 44100), np.float32)
        half = len(mixed) // 2
        for note, code in enumerate(codes):
            name = MUSICNET_TO_OPENMIC.get(code, "cello")
            sound = timbre(name, seconds / 2, 44100, generator)[: half - 4410]
            mixed[: len(sound)] += sound
            rows.append([0, half - 4410, code, 60 + note, 0.0, 1.0, "Dotted Quarter"])
            mixed[half : half + len(sound)] += sound
            rows.append([half, len(mixed) + 100, code, 60 + note, 2.0, 1.0, "Triplet"])  # a little past the end
        members[f"musicnet/{split}_data/{number}.wav"] = encode(0.2 * mixed, 44100, "WAV", "FLOAT")
        members[f"musicnet/{split}_labels/{number}.csv"] = csv_bytes([header, *rows])
    assert {code for *_, codes in pieces for code in codes} == set(MUSICNET)
    return members


def musicnet_metadata() -> bytes:
    columns = ["id", "composer", "composition", "movement", "ensemble", "source", "transcriber", "catalog_name"]
    rows = [
        [number, "Nobody", "Etude", "1. Allegro", "Solo", "tests", "-", "op. 0", 2] for number in (1727, 1728, 1759)
    ]
    return csv_bytes([[*columns, "seconds"], *rows])


def make_corpus(root: Path, *, seed: int = 0, clips: int = 72) -> Path:
    """Writes the four datasets below ``root``, archives named as the publishers name them.

    Args:
        root: The data root to make.
        seed: Changes the sounds, never the labels.
        clips: OpenMIC clips; from 60 on every class has positives and negatives in train, valid and test.

    Returns:
        ``root``.
    """
    write_tar(root / "openmic/openmic-2018-v1.0.0.tgz", openmic_members(seed, clips))
    for name, members in irmas_members(seed).items():
        write_zip(root / "irmas" / name, members)
    for name, members in nsynth_members(seed).items():
        write_tar(root / "nsynth" / name, members)
    write_tar(root / "musicnet/musicnet.tar.gz", musicnet_members(seed))
    (root / "musicnet/musicnet_metadata.csv").write_bytes(musicnet_metadata())
    return root


def make_notes(folder: Path, *, seed: int = 0, notes: int = 5, seconds: float = 1.0) -> Path:
    """Writes a folder of recordings per OpenMIC class, ``notes`` of each.

    Classes with an odd index have two sources, the others one.
    """
    generator = np.random.default_rng(seed)
    write_folder(folder, {"RENDERED.json": RENDERED})
    for index, name in enumerate(OPENMIC):
        for number in range(notes):
            source = "kitchen" if index % 2 and number >= notes - 2 else "studio"
            sound = encode(timbre(name, seconds, 22050, generator), 22050, "FLAC", "PCM_16")
            write_folder(folder / name, {f"{source}__{name}_{number}.flac": sound})
    return folder


def tiny_params(*models: str, file: str = "params.yaml", **changes: dict[str, Any]) -> str:
    """Parameters of the repository made small enough for the corpus, as YAML text.

    Args:
        models: Models to keep, all of them without any.
        file: The parameters to begin with, from the repository's root.
        changes: Keys to change by section, such as ``data={"notes": "notes"}``.
    """
    params = yaml.safe_load((Path(__file__).parents[1] / file).read_text())
    smaller: dict[str, dict[str, Any]] = {
        "data": {"valid_fraction": 0.34},
        "validate": {
            "min_labelled_per_class": 4,
            "min_positive_share": 0.1,
            "max_positive_share": 0.9,
            "min_mask_density": 0.05,
            "max_mask_density": 0.5,
            "max_class_imbalance": 4.0,
        },
        "features": {"batch": 8},
        "irmas": {"split": "grouped", "balance": True, "pairs_per_class": None},
        "repeat": {"seeds": [1]},
        "evaluate": {"bootstrap": 20},
        "select": {"step": 0.5, "thresholds": [0.3, 0.5]},
        "gate": {
            "min_map": 0.0,
            "min_f1_macro_two_class": 0.0,
            "min_class_auroc": 0.0,
            "class_floors": {},
            "max_regression": 1.0,
        },
        "package": {"golden": 2},
    }
    if params.get("mix", {}).get("per_polyphony") != 0:
        smaller["mix"] = {"generator": "published", "per_polyphony": 2, "max_polyphony": 3, "duration_s": 2.0}
    for section, values in smaller.items():
        params.setdefault(section, {}).update(values)
    params["models"] = {name: params["models"][name] for name in models or params["models"]}
    candidates = [name for name in params["select"]["models"] if name in params["models"]]
    params["select"]["models"] = candidates or list(params["models"])
    params["repeat"]["models"] = [name for name in params["repeat"].get("models", []) if name in params["models"]]
    if not {"passt", "passt_real"} <= set(params["models"]):
        params["compare"] = dict.fromkeys(params.get("compare", ()))
    for model in params["models"].values():
        model["preset"] = "mini"
        model.pop("weights", None)
        for stage in ("train", "pretrain"):
            if model.get(stage):
                model[stage].update(epochs=1, batch=16)
        if model.get("forest"):
            model["forest"].update(trees=5, max_depth=4)
    for section, values in changes.items():
        params[section].update(values)
    return yaml.safe_dump(params, sort_keys=False)
