"""From a musical plan to its sound: notes, tone, band, level, room, and what of it can be heard."""

from dataclasses import dataclass

import numpy as np
import soxr

from tutti.audio.decode import SILENCE_PEAK
from tutti.config import MixParams
from tutti.mixtures.plan import Event, MixPlan, Part, Rendered, Scene, Sounds, amplitude
from tutti.mixtures.players import CLASSES
from tutti.mixtures.room import band_filter, band_limited, equalised, noise_floor, reverberated, room_response
from tutti.seeds import numpy_generator

#: Rendering begins this long before the clip, so that the clip begins in the middle of music, echoes included.
LEAD_S = 1.0
_LEAD_FADE_S = 0.05
#: A note that is cut fades out over this time, or over a third of it where that is shorter; phrases fade in and out.
RELEASE_S = 0.1
PHRASE_FADE_S = 0.08
#: What precedes the first sample this far below a note's peak is not part of the note.
LEADING_SILENCE_DB = -50.0
#: Levels are measured in frames of this length.
FRAME_S = 0.05
#: Frames this far below the loudest one are pauses.
PAUSE_DB = -30.0
#: Level of an instrument whose gain is 0 dB, before the mixture is brought to its own level; dBFS.
PART_DBFS = -30.0


@dataclass(frozen=True)
class Ensemble:
    """Makes the sound of musical plans.

    Attributes:
        params: Length, rate and manner of the mixtures.
    """

    params: MixParams

    def __call__(self, plan: MixPlan, sounds: Sounds) -> Rendered:
        """The plan's sound.

        Each instrument is equalised, brought to its level, limited to the clip's band, and sent to its place: the
        direct sound is panned, the reverberation is shared. The whole is equalised, gets a floor of noise and is
        brought to the clip's level. Every step is linear, so the band's limit holds for the whole.

        Of an instrument that is too faint or too short to be heard it is unknown whether it is present.

        Args:
            plan: With a scene, and a place for each part.
            sounds: Gives the notes' samples.
        """
        scene = plan.scene
        if scene is None:
            raise ValueError("the plan has no scene: another generator made it")
        rate, musical = self.params.sample_rate, self.params.musical
        taps = band_filter(scene.limit_hz, rate)
        length = self._lead + round(self.params.duration_s * rate)
        direct = np.zeros((musical.channels, length), np.float32)
        to_room = np.zeros(length, np.float32)
        levels: dict[str, np.ndarray] = {}  # in the plan's order
        for part in plan.parts:
            track = self._track(part, sounds, taps, length)
            if track is None or part.place is None:
                continue
            levels[part.label] = _frame_powers(track[self._lead :], rate)
            near, far = _direct_and_far(part.place.distance if scene.room else 0.0)
            direct += track * near * _panned(part.place.pan, musical.channels)[:, np.newaxis]
            to_room += track * far
        stream = numpy_generator(scene.stream)
        mixture = self._in_room(direct, to_room, scene, stream)[:, self._lead :]
        power = _active_power(_frame_powers(mixture, rate))
        audible = power * 10.0 ** (musical.heard_db / 10.0)
        heard = tuple(
            label for label, powers in levels.items() if np.count_nonzero(powers > audible) * FRAME_S >= musical.heard_s
        )
        mixture = mixture + noise_floor(power * 10.0 ** (scene.noise_db / 10.0), mixture.shape, taps, stream)
        present = sorted(index for label in heard if (index := CLASSES[label]) is not None)
        return Rendered(self._levelled(mixture, power, scene), heard, tuple(present), plan.absent)

    @property
    def _lead(self) -> int:
        return round(LEAD_S * self.params.sample_rate)

    def _track(self, part: Part, sounds: Sounds, taps: np.ndarray, length: int) -> np.ndarray | None:
        """An instrument alone, float32 [length], at its level and within the clip's band; None when it is silent."""
        rate = self.params.sample_rate
        track = np.zeros(length, np.float32)
        longest: dict[tuple[str, int], float] = {}
        for event in part.events:
            key = event.note.clip_id, event.shift
            longest[key] = max(longest.get(key, 0.0), event.length_s)
        notes: dict[tuple[str, int], np.ndarray] = {}
        for event in part.events:
            if event.note.phrase:
                sound = _excerpt(event, sounds(event.note), rate)
            else:
                key = event.note.clip_id, event.shift
                if key not in notes:
                    notes[key] = _prepared(sounds(event.note), event.shift, longest[key], rate)
                sound = _released(notes[key], event.length_s, rate)
            _add(track, sound * amplitude(event.gain_db), self._lead + round(event.onset_s * rate))
        track = _faded(track, _LEAD_FADE_S, 0.0, rate)
        if part.place is not None:
            track = equalised(track, part.place.shelves, rate)
        power = _active_power(_frame_powers(track[self._lead :], rate))
        if not power:
            return None
        gain_db = part.gain_db + PART_DBFS - 10.0 * float(np.log10(power))
        return band_limited(track * amplitude(gain_db), taps)

    def _in_room(
        self, direct: np.ndarray, to_room: np.ndarray, scene: Scene, stream: np.random.Generator
    ) -> np.ndarray:
        """Adds the reverberation and equalises the whole; float32 [channels, n]."""
        rate = self.params.sample_rate
        if scene.room is not None:
            response = room_response(scene.room, rate, len(direct), stream)
            direct = direct + reverberated(to_room, response)
        return equalised(direct, scene.shelves, rate)

    def _levelled(self, mixture: np.ndarray, power: float, scene: Scene) -> np.ndarray:
        """The mixture at its level, or below where its peak would be too high; [n] for mono."""
        if power:
            peak = float(np.abs(mixture).max())
            wanted = amplitude(scene.level_dbfs) / np.sqrt(power)
            mixture = mixture * np.float32(min(wanted, amplitude(self.params.musical.peak_dbfs) / peak))
        return mixture[0] if len(mixture) == 1 else mixture


def _direct_and_far(distance: float) -> tuple[np.float32, np.float32]:
    """Gains of the direct sound and of what goes to the room; their powers add up to 1."""
    total = np.sqrt(1.0 + distance**2)
    return np.float32(1.0 / total), np.float32(distance / total)


def _panned(pan: float, channels: int) -> np.ndarray:
    """Gains of the channels with equal power wherever the instrument stands; float32 [channels]."""
    if channels == 1:
        return np.ones(1, np.float32)
    angle = (pan + 1.0) * np.pi / 4.0
    return np.sqrt(np.float32(2.0)) * np.array([np.cos(angle), np.sin(angle)], np.float32)


def _frame_powers(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mean square of each frame, float64 [frames], over all channels of float32 [..., n]; at least one frame."""
    size = min(samples.shape[-1], round(FRAME_S * rate))
    frames = samples.shape[-1] // size
    framed = samples[..., : frames * size].reshape(-1, frames, size)
    return np.asarray((framed.astype(np.float64) ** 2).mean(axis=(0, 2)))


def _active_power(powers: np.ndarray) -> float:
    """Mean square of the frames that are no pauses."""
    return float(powers[powers >= powers.max() * 10.0 ** (PAUSE_DB / 10.0)].mean())


def _prepared(samples: np.ndarray, shift: int, length_s: float, rate: int) -> np.ndarray:
    """A note from its attack on, its pitch shifted, with peak 1, as long as needed; a silent one is left empty."""
    level = np.abs(samples)
    peak = float(level.max(initial=0.0))
    if peak < SILENCE_PEAK:
        return np.zeros(0, np.float32)
    ratio = 2.0 ** (shift / 12.0)
    first = int(np.argmax(level >= peak * amplitude(LEADING_SILENCE_DB)))
    samples = samples[first : first + round((length_s * ratio + RELEASE_S) * rate)] / np.float32(peak)
    if shift:
        samples = soxr.resample(samples, rate * ratio, rate, quality="HQ")
    return np.asarray(samples, np.float32)


def _released(note: np.ndarray, length_s: float, rate: int) -> np.ndarray:
    """The beginning of a note, faded out where it is cut."""
    return _faded(note[: round(length_s * rate)], 0.0, min(RELEASE_S, length_s / 3), rate)


def _excerpt(event: Event, samples: np.ndarray, rate: int) -> np.ndarray:
    """A part of a phrase with peak 1, faded in and out; a silent one is left empty."""
    first = round(event.offset_s * rate)
    samples = samples[first : first + round(event.length_s * rate)]
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < SILENCE_PEAK:
        return np.zeros(0, np.float32)
    return _faded(samples / np.float32(peak), PHRASE_FADE_S, PHRASE_FADE_S, rate)


def _faded(samples: np.ndarray, in_s: float, out_s: float, rate: int) -> np.ndarray:
    """A copy that begins and ends with half a cosine."""
    samples = samples.copy()
    for seconds, at in ((in_s, slice(None)), (out_s, slice(None, None, -1))):
        count = min(round(seconds * rate), len(samples))
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(count, dtype=np.float32) / max(count, 1))
        samples[at][:count] *= ramp
    return samples


def _add(track: np.ndarray, sound: np.ndarray, start: int) -> None:
    """Adds a sound in place; what lies before or behind the track is left out."""
    sound = sound[max(0, -start) :]
    start = max(0, start)
    sound = sound[: max(0, len(track) - start)]
    track[start : start + len(sound)] += sound
