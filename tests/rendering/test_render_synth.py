"""The real synthesizer, where it is installed."""

import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tutti.errors import DataError
from tutti.rendering import openmic, synth
from tutti.rendering.__main__ import main
from tutti.rendering.composing import Note, Part
from tutti.rendering.instruments import FLUID, FONTS, INSTRUMENTS, TIM, Patch
from tutti.rendering.mixing import rms_db

pytest.importorskip("mido", reason="mido is not installed (pip install 'tutti[render]')")
needs_fluidsynth = pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")
needs_tim = pytest.mark.skipif(not Path(TIM.path).is_file(), reason=f"{TIM.package} is not installed")
needs_all = pytest.mark.skipif(
    not all(Path(font.path).is_file() for font in FONTS), reason="not all three SoundFonts are installed"
)


def held(name: str, patch: Patch, pitch: int = 69, start_s: float = 0.5) -> Part:
    return Part(INSTRUMENTS[name], patch, (Note(start_s, start_s + 1.0, pitch, 100, 0, 1),), leads=True)


def strongest_hz(stem: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(stem.mean(axis=0) * np.hanning(stem.shape[1]), 1 << 18))
    return float(np.argmax(spectrum) * synth.RATE / (1 << 18))


def test_a_missing_soundfont_names_its_package() -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    with pytest.raises(DataError, match="apt-get install fluid-soundfont-gm"):
        synth.check_tools([replace(FLUID, path="/nowhere/FluidR3_GM.sf2")])


def test_a_missing_synthesizer_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="apt-get install fluidsynth"):
        synth.render([], FLUID, 1.0)


@needs_fluidsynth
@needs_tim
def test_stems_come_apart_in_time_and_in_tune() -> None:
    flute, guitar = Patch(73), Patch(24, shift=7)
    parts = [held("flute", flute), held("ukulele", guitar), held("flute", flute, start_s=1.5)]
    first, second, third = synth.render(parts, TIM, 2.5)
    assert first.shape == (2, round(2.5 * synth.RATE))
    assert strongest_hz(first) == pytest.approx(440, rel=0.01)
    assert strongest_hz(second) == pytest.approx(440, rel=0.01)  # the shifted guitar sounds where it is written
    for stem, onset in ((first, 0.5), (third, 1.5)):
        heard = np.flatnonzero(np.abs(stem[0]) > 0.05 * np.abs(stem).max())[0] / synth.RATE
        assert heard == pytest.approx(onset, abs=0.05)
        assert rms_db(stem[:, : round((onset - 0.05) * synth.RATE)]) < -80


@needs_fluidsynth
@needs_tim
def test_drums_sound_on_their_own_channel() -> None:
    drums = INSTRUMENTS["drums"]
    kick = Part(drums, drums.patches[0], (Note(0.1, 0.3, 36, 120, 0, 1),), leads=False)
    (stem,) = synth.render([kick], TIM, 1.0)
    assert strongest_hz(stem) < 200


@needs_fluidsynth
@needs_all
def test_a_small_corpus_renders_twice_to_the_same_bytes(tmp_path: Path) -> None:
    one, two = (openmic.write(tmp_path / name, 5, clips=(2, 2)) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        sounds = [archive.extractfile(member).read() for member in archive if member.name.endswith(".ogg")]  # type: ignore[union-attr]
        arrays = np.load(
            io.BytesIO(archive.extractfile("openmic-2018/openmic-2018.npz").read()),  # type: ignore[union-attr]
            allow_pickle=True,
        )
    assert len(sounds) == len(arrays["sample_key"]) == 4
    for data in sounds:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        assert (rate, sound.shape) == (44_100, (441_000, 2))
        assert 0.2 < np.abs(sound).max() < 1.0
        assert -30 < rms_db(sound.T) < -12


def test_the_command_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "irmas").mkdir()
    (tmp_path / "irmas" / "IRMAS-TrainingData.zip").write_bytes(b"mine")
    assert main(["--out", str(tmp_path), "--only", "irmas"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "irmas" / "IRMAS-TrainingData.zip").read_bytes() == b"mine"
