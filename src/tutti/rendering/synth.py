"""Plays parts with FluidSynth: one process for a whole list of parts, one stereo stem for each.

The parts stand one after the other in a single MIDI file, each in a slot of its own, and the sound is cut at the slots;
so a SoundFont is loaded once, and levels, places and rooms are left to `tutti.rendering.mixing`.

Needs the Debian package ``fluidsynth``, the SoundFont packages named in `tutti.rendering.instruments`, and the extra
``tutti[render]`` (mido).
"""

import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from tutti.errors import DataError
from tutti.rendering.composing import Note, Part
from tutti.rendering.instruments import Font

RATE = 44_100

# At 1000 ticks per quarter and one second per quarter, a tick is a millisecond.
_TICKS = 1000
# Silence before a part, in which its channel is set up.
_LEAD_MS = 100
_DRUM_CHANNEL = 9
_COARSE_TUNING, _FINE_TUNING = 2, 1


def check_tools(fonts: Sequence[Font]) -> None:
    """Makes sure that FluidSynth, mido and the SoundFonts are there.

    Raises:
        DataError: One is missing; the message names its package.
    """
    if find_spec("mido") is None:
        raise DataError("mido is not installed", hint="pip install 'tutti[render]' (only rendering needs it)")
    if shutil.which("fluidsynth") is None:
        raise DataError(
            "FluidSynth is not installed",
            expected="the program fluidsynth on the PATH",
            hint="apt-get install fluidsynth (only rendering needs it; `dvc pull` brings the rendered data)",
        )
    for font in fonts:
        if not Path(font.path).is_file():
            raise DataError(
                f"the SoundFont {font.name} is not installed",
                expected=font.path,
                hint=f"apt-get install {font.package} (only rendering needs it; `dvc pull` brings the rendered data)",
            )


def render(parts: Sequence[Part], font: Font, seconds: float, *, tail_s: float = 2.0) -> list[np.ndarray]:
    """Plays each part alone, without reverberation.

    Args:
        parts: What to play; notes start at 0 s.
        font: The SoundFont.
        seconds: Length of each stem, seconds.
        tail_s: Silence kept between two parts for notes to die away.

    Returns:
        For each part its stem, float32 [2, seconds x 44100], unscaled.

    Raises:
        DataError: FluidSynth or the SoundFont is missing, or FluidSynth failed.
    """
    check_tools([font])
    slot_ms = math.ceil(1000 * (seconds + tail_s)) + _LEAD_MS
    with tempfile.TemporaryDirectory(prefix="tutti-render-") as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
        _write_midi(score, parts, slot_ms)
        command = [
            "fluidsynth", "-ni", "-q", "-r", str(RATE), "-g", "0.4", "-R", "0", "-C", "0",
            "-o", "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=512",
            "-o", "audio.file.type=wav", "-o", "audio.file.format=float",
            "-F", str(sound), font.path, str(score),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not sound.is_file():
            raise DataError(f"fluidsynth could not play {font.name}", got=done.stderr.strip() or done.returncode)
        tape, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    length = round(seconds * RATE)
    stems = []
    for index in range(len(parts)):
        first = round((index * slot_ms + _LEAD_MS) * RATE / 1000)
        stem = np.zeros((2, length), np.float32)
        piece = tape[first : first + length].T
        stem[:, : piece.shape[1]] = piece
        stems.append(stem)
    return stems


def _write_midi(path: Path, parts: Sequence[Part], slot_ms: int) -> None:
    import mido

    events: list[tuple[int, int, mido.Message]] = []  # time, order among events of one time, message
    for index, part in enumerate(parts):
        start = index * slot_ms
        channels = [_DRUM_CHANNEL] if part.percussion else [0, 1] if part.patch.double else [0]
        for channel in channels:
            for order, message in enumerate(_set_up(part, channel, detune=12 if channel == 1 else 0)):
                events.append((start, order, message))
            for note in part.notes:
                events += _note_events(part, note, channel, start + _LEAD_MS)
    events.append((len(parts) * slot_ms, 0, mido.Message("control_change", control=120, value=0)))
    events.sort(key=lambda event: event[:2])
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    now = 0
    for time, _, message in events:
        track.append(message.copy(time=time - now))
        now = time
    midi = mido.MidiFile(type=0, ticks_per_beat=_TICKS)
    midi.tracks.append(track)
    midi.save(path)


def _set_up(part: Part, channel: int, detune: int) -> list:
    """Clears a channel and gives it its sound; ``detune`` in cents."""
    import mido

    def control(number: int, value: int) -> mido.Message:
        return mido.Message("control_change", channel=channel, control=number, value=value)

    fine = 8192 + round(detune * 8192 / 100)
    return [
        control(120, 0),  # all sound off
        control(121, 0),  # all controllers to their defaults
        control(0, part.patch.bank),
        mido.Message("program_change", channel=channel, program=part.patch.program),
        control(101, 0),
        control(100, _COARSE_TUNING),
        control(6, 64 + part.patch.shift),
        control(38, 0),
        control(100, _FINE_TUNING),
        control(6, fine >> 7),
        control(38, fine & 127),
        control(1, part.vibrato),
        control(11, 127),
    ]


def _note_events(part: Part, note: Note, channel: int, offset_ms: int) -> list:
    import mido

    # A doubled string speaks a moment after the first.
    start = offset_ms + round(note.start_s * 1000) + (7 if channel == 1 else 0)
    end = max(start + 20, offset_ms + round(note.end_s * 1000))
    key = note.pitch - part.patch.shift
    events = [
        (start, 21, mido.Message("note_on", channel=channel, note=key, velocity=note.velocity)),
        (end, 20, mido.Message("note_off", channel=channel, note=key)),
    ]
    if part.swells and end - start > 400:
        for step in range(9):  # expression rises to the middle of the note and falls again
            time = start + round((end - start - 10) * step / 8)
            value = round(84 + 43 * math.sin(math.pi * step / 8))
            events.append((time, 19, mido.Message("control_change", channel=channel, control=11, value=value)))
    return events
