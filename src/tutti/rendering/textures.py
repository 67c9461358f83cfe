"""What pitched instruments play: each texture writes one part over a song's chords.

A texture is a function ``(song, low, high, rng) -> list[Stroke]`` with pitches in ``low..high`` (MIDI); `TEXTURES`
names them. Strokes are in beats and exact; `tutti.rendering.composing` makes a performance of them.
"""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tutti.rendering.theory import Chord, Song, Stroke, ladder, nearest

Texture = Callable[[Song, int, int, random.Random], list[Stroke]]

# Rhythms of one and of two beats, from calm to busy; negative is a rest.
_ONE = ((1.0,), (0.5, 0.5), (0.75, 0.25), (-0.5, 0.5), (0.25, 0.25, 0.5), (0.5, 0.25, 0.25), (0.25,) * 4)
_TWO = ((2.0,), (1.5, 0.5), (0.5, 1.0, 0.5), (1.0, 1.0), (1.0, -1.0), (0.75, 0.75, 0.5), (0.5, 0.5, 1.0))


def _rhythm(beats: int, busy: float, tempo: float, rng: random.Random) -> list[float]:
    """Durations that fill ``beats``; ``busy`` 0 to 1 favours short notes, a fast tempo forbids sixteenths."""
    cells: list[float] = []
    left = beats
    limit = len(_ONE) if tempo < 112 else 4
    while left:
        if left >= 2 and rng.random() > busy:
            cells += rng.choice(_TWO)
            left -= 2
        else:
            first = min(int(busy * 3), limit - 2)
            cells += _ONE[rng.randrange(first, limit)]
            left -= 1
    return cells


def _line(song: Song, low: int, high: int, rng: random.Random, *, busy: float) -> list[Stroke]:
    """A melody: two-bar rhythms in the form A A B A, steps along the scale, chord tones where the bar leans."""
    bar = song.beats_per_bar
    a, b = (_rhythm(bar, busy, song.tempo, rng) + _rhythm(bar, busy * 0.7, song.tempo, rng) for _ in range(2))
    middle = rng.uniform(low + 0.35 * (high - low), low + 0.7 * (high - low))
    steps = ladder(song.scale, low, high)
    pitch = nearest(steps, middle)
    strokes: list[Stroke] = []
    for phrase in range(int(song.beats) // (2 * bar) + 1):
        beat = float(phrase * 2 * bar)
        for length in (a, a, b, a)[phrase % 4]:
            if beat >= song.beats:
                break
            if length > 0:
                leaning = beat % bar in (0, 2)
                index = steps.index(nearest(steps, pitch))  # a raised third is no step of the scale
                pull = 1 if pitch < middle - 7 else -1 if pitch > middle + 7 else 0
                leap = rng.choices((0, 1, -1, 2, -2, 3, -3, 4), (1, 5, 5, 3, 3, 1.2, 1.2, 0.6))[0]
                pitch = steps[max(0, min(len(steps) - 1, index + leap + pull))]
                if leaning:
                    pitch = nearest(ladder(song.chord_at(beat).tones, low, high), pitch)
                strokes.append(Stroke(beat, length, pitch, (0.75 if leaning else 0.6) + rng.uniform(-0.08, 0.12)))
            beat += abs(length)
    return strokes


def melody(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A singable line."""
    return _line(song, low, high, rng, busy=rng.uniform(0.2, 0.55))


def busy_melody(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A quick line."""
    return _line(song, low, high, rng, busy=rng.uniform(0.75, 1.0))


def voicing(chord: Chord, low: int, high: int, count: int, centre: float) -> list[int]:
    """``count`` neighbouring chord tones whose mean lies nearest ``centre``, ascending; fewer where the range ends."""
    tones = ladder(chord.tones, low, high)
    stacks = [tones[first : first + count] for first in range(max(1, len(tones) - count + 1))]
    return min(stacks, key=lambda stack: abs(sum(stack) / len(stack) - centre))


def _chords(
    song: Song,
    low: int,
    high: int,
    rng: random.Random,
    *,
    pattern: list[tuple[float, float, float]],
    count: int,
    spread_s: float = 0.0,
) -> list[Stroke]:
    """Chords on a rhythm, voices moving little.

    Args:
        song: The song.
        low: Lowest pitch.
        high: Highest pitch.
        rng: Draws nothing but small level differences.
        pattern: Beat in the bar, length in beats and level of each chord; a negative length is struck from the top.
        count: Tones per chord.
        spread_s: Seconds from one string to the next.
    """
    spread = spread_s * song.tempo / 60
    centre = (low + high) / 2
    strokes = []
    for bar, chord in enumerate(song.chords):
        stack = voicing(chord, low, high, count, centre)
        centre = 0.7 * sum(stack) / len(stack) + 0.3 * (low + high) / 2
        for offset, length, level in pattern:
            order = stack if length > 0 else stack[::-1]
            for string, pitch in enumerate(order):
                beat = bar * song.beats_per_bar + offset + string * spread
                strokes.append(Stroke(beat, abs(length), pitch, level + rng.uniform(-0.05, 0.05)))
    return strokes


def _middle(low: int, high: int, semitones: int) -> tuple[int, int]:
    """The part of a range where chords sound well: at most ``semitones`` around its lower middle."""
    centre = low + round(0.45 * (high - low))
    return max(low, centre - semitones // 2), min(high, centre + semitones // 2)


def strum(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Down and up strokes over the strings, one of a few patterns."""
    four = (
        ((0, "d"), (1, "d"), (1.5, "u"), (2.5, "u"), (3, "d"), (3.5, "u")),
        ((0, "d"), (0.5, "u"), (1, "d"), (1.5, "u"), (2, "d"), (2.5, "u"), (3, "d"), (3.5, "u")),
        ((0, "d"), (1, "d"), (2, "d"), (2.5, "u"), (3, "d")),
        ((0, "d"), (0.75, "u"), (1.5, "u"), (2, "d"), (2.75, "u"), (3.5, "u")),
    )
    three = (((0, "d"), (1, "d"), (1.5, "u"), (2, "d"), (2.5, "u")), ((0, "d"), (1, "d"), (2, "d")))
    chosen = rng.choice(four if song.beats_per_bar == 4 else three)
    ends = [offset for offset, _ in chosen[1:]] + [song.beats_per_bar]
    pattern = [
        (offset, (end - offset) * (1 if way == "d" else -1), (0.8 if offset == 0 else 0.68) if way == "d" else 0.5)
        for (offset, way), end in zip(chosen, ends, strict=True)
    ]
    strings = 4 if high - low < 30 else rng.choice((5, 6))
    low, high = _middle(low, high, 24)
    return _chords(song, low, high, rng, pattern=pattern, count=strings, spread_s=rng.uniform(0.008, 0.024))


def chop(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Short chords after the beat, as a mandolin marks time."""
    pattern = [(beat, 0.3, 0.8) for beat in ((1.0, 3.0) if song.beats_per_bar == 4 else (1.0, 2.0))]
    if rng.random() < 0.5:
        pattern += [(beat + 0.5, -0.3, 0.55) for beat, _, _ in pattern]
    return _chords(song, low, high, rng, pattern=pattern, count=4, spread_s=0.008)


def comping(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Chords on a syncopated rhythm."""
    four = (
        ((0, 1.5), (1.5, 1), (3, 0.5)),
        ((0, 0.9), (1, 0.9), (2, 0.9), (3, 0.9)),
        ((0.5, 0.5), (2, 0.5), (3.5, 0.5)),
        ((0, 2), (2.5, 1.5)),
    )
    three = (((0, 1), (1, 0.5), (2, 0.5)), ((0, 1.5), (1.5, 1.5)))
    chosen = rng.choice(four if song.beats_per_bar == 4 else three)
    pattern = [(beat, length, 0.75 if beat == 0 else 0.62) for beat, length in chosen]
    return _chords(song, *_middle(low, high, 22), rng, pattern=pattern, count=rng.choice((3, 4)))


def stabs(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Short accents, one or two notes, as a horn section plays them."""
    pattern = [(beat, 0.35, 0.9) for beat in rng.choice(((0.0, 1.5), (0.5, 2.5), (0.0, 0.75, 2.5), (1.5, 2.0)))]
    return _chords(song, *_middle(low, high, 20), rng, pattern=pattern, count=rng.choice((1, 2)))


def long_chords(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Held chords, one a bar."""
    pattern = [(0.0, float(song.beats_per_bar), 0.62)]
    return _chords(song, *_middle(low, high, 24), rng, pattern=pattern, count=rng.choice((3, 3, 4)))


def harmony_chords(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Two-part chords that move with the rhythm of a hymn."""
    pattern = [(float(beat), 1.0, 0.7) for beat in range(song.beats_per_bar)]
    return _chords(song, *_middle(low, high, 22), rng, pattern=pattern, count=rng.choice((2, 3)))


def power_chords(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Roots and fifths in eighths, as a distorted guitar plays them."""
    eighths = 2 * song.beats_per_bar
    chosen = [step for step in range(eighths) if step == 0 or rng.random() < 0.7]
    strokes = []
    for bar, chord in enumerate(song.chords):
        root = ladder((chord.root,), low, low + 11)[0]
        for step in chosen:
            for pitch in (root, root + 7, root + 12):
                strokes.append(Stroke(bar * song.beats_per_bar + step / 2, 0.45, pitch, 0.8 if step % 4 == 0 else 0.65))
    return strokes


def waltz_chords(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Bass note on the first beat, chords on the others."""
    strokes = []
    split = low + (high - low) // 3
    for bar, chord in enumerate(song.chords):
        start = bar * song.beats_per_bar
        bass = rng.choice((chord.root, chord.root, chord.fifth))
        strokes.append(Stroke(start, 0.9, nearest(ladder((bass,), low, low + 16), low + 7), 0.75))
        for beat in range(1, song.beats_per_bar):
            for pitch in voicing(chord, split, high, 3, split + 9):
                strokes.append(Stroke(start + beat, 0.6, pitch, 0.55))
    return strokes


def stride(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """The left hand of ragtime below, a quick right hand above."""
    half = (low + high) // 2
    return waltz_chords(song, low, half + 6, rng) + _line(song, half, high, rng, busy=0.7)


def melody_and_chords(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A melody over one's own chords."""
    half = low + round(0.55 * (high - low))
    below = rng.choice((long_chords, comping, waltz_chords))(song, low, half, rng)
    quieter = [Stroke(s.beat, s.beats, s.pitch, s.level * 0.8) for s in below]
    return quieter + _line(song, half, high, rng, busy=rng.uniform(0.3, 0.8))


def arpeggio(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Broken chords in eighths or sixteenths."""
    step = 0.25 if song.tempo < 100 else 0.5
    count = rng.choice((4, 5, 6))
    shape = rng.choice(("up", "round", "picked"))
    low, high = _middle(low, high, 26)
    strokes = []
    for bar, chord in enumerate(song.chords):
        stack = voicing(chord, low, high, count, (low + high) / 2)
        orders = {
            "up": stack,
            "round": stack + stack[-2:0:-1],
            "picked": [stack[0], stack[-1], stack[len(stack) // 2], stack[-1]],
        }
        order = orders[shape]
        for index in range(int(song.beats_per_bar / step)):
            beat = bar * song.beats_per_bar + index * step
            strokes.append(Stroke(beat, step * 1.8, order[index % len(order)], 0.72 if index % 4 == 0 else 0.56))
    return strokes


def roll(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A banjo's three-finger roll: sixteenths across the strings, the high drone string between."""
    step = 0.25 if song.tempo < 132 else 0.5
    pattern = rng.choice(((0, 1, 9, 2, 1, 9, 0, 2), (2, 1, 9, 2, 1, 9, 2, 1), (0, 1, 2, 9, 2, 1, 0, 9)))
    drone = nearest(ladder(song.scale[:1], low + 10, high), high - 6)
    strokes = []
    for bar, chord in enumerate(song.chords):
        stack = voicing(chord, low, high - 5, 3, low + 9)
        for index in range(int(song.beats_per_bar / step)):
            string = pattern[index % 8]
            pitch = drone if string == 9 else stack[string % len(stack)]
            strokes.append(
                Stroke(bar * song.beats_per_bar + index * step, 0.9, pitch, 0.75 if index % 4 == 0 else 0.58)
            )
    return strokes


def tremolo(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A melody whose long notes are picked over and over, about a dozen times a second."""
    step = 1 / max(2, round(60 / song.tempo * rng.uniform(10, 13)))
    strokes = []
    for note in _line(song, low, high, rng, busy=rng.uniform(0.0, 0.35)):
        picks = max(1, round(note.beats / step)) if note.beats >= 0.75 else 1
        for pick in range(picks):
            level = note.level * (1.0 if pick == 0 else 0.72 + 0.1 * (pick % 2))
            strokes.append(Stroke(note.beat + pick * step, note.beats if picks == 1 else step, note.pitch, level))
    return strokes


def ostinato(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A repeated figure of eighths or sixteenths on the chord and its neighbours."""
    step = 0.25 if song.tempo < 120 else 0.5
    figure = [rng.choice((0, 1, 2, 3, 1, None)) for _ in range(8)]
    figure[0] = 0
    low, high = _middle(low, high, 24)
    strokes = []
    for bar, chord in enumerate(song.chords):
        stack = voicing(chord, low, high, 4, (low + high) / 2)
        for index in range(int(song.beats_per_bar / step)):
            tone = figure[index % 8]
            if tone is not None:
                pitch = stack[min(tone, len(stack) - 1)]
                level = 0.78 if index % 4 == 0 else 0.62
                strokes.append(Stroke(bar * song.beats_per_bar + index * step, step * 0.8, pitch, level))
    return strokes


def riff(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A short figure in the low strings."""
    return ostinato(song, low, min(high, low + 19), rng)


def counter(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A calm second line."""
    third = (high - low) // 3
    return [Stroke(s.beat, s.beats, s.pitch, s.level * 0.88) for s in _line(song, low, high - third, rng, busy=0.2)]


def harmony(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Chord tones in half notes."""
    return _held(song, low, high, rng, beats=2.0)


def long_notes(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """One chord tone a bar."""
    return _held(song, low, high, rng, beats=float(song.beats_per_bar))


def _held(song: Song, low: int, high: int, rng: random.Random, *, beats: float) -> list[Stroke]:
    pitch = rng.uniform(low + 0.25 * (high - low), low + 0.65 * (high - low))
    strokes = []
    beat = 0.0
    while beat < song.beats:
        chosen = nearest(ladder(song.chord_at(beat).tones, low, high), pitch + rng.uniform(-2.5, 2.5))
        strokes.append(Stroke(beat, beats, chosen, 0.62 + rng.uniform(-0.06, 0.06)))
        pitch = 0.6 * chosen + 0.4 * (low + high) / 2
        beat += beats
    return strokes


def bass_roots(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Root on the first beat, fifth or root on the third."""
    strokes = []
    for bar, chord in enumerate(song.chords):
        start = bar * song.beats_per_bar
        root = nearest(ladder((chord.root,), low, high), low + 9)
        other = rng.choice((root, nearest(ladder((chord.fifth,), low, high), root)))
        if song.beats_per_bar == 4:
            strokes += [Stroke(start, 1.8, root, 0.8), Stroke(start + 2, 1.8, other, 0.7)]
        else:
            strokes.append(Stroke(start, 2.7, root, 0.78))
    return strokes


def bass_pulse(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """Roots in eighths."""
    strokes = []
    for bar, chord in enumerate(song.chords):
        root = nearest(ladder((chord.root,), low, high), low + 9)
        for index in range(2 * song.beats_per_bar):
            level = 0.8 if index % 4 == 0 else 0.66 + rng.uniform(-0.05, 0.05)
            strokes.append(Stroke(bar * song.beats_per_bar + index / 2, 0.45, root, level))
    return strokes


def walking(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A quarter-note line: root first, chord tones between, a semitone step into the next root."""
    strokes: list[Stroke] = []
    place = low + 10.0
    for bar, chord in enumerate(song.chords):
        following = song.chords[min(bar + 1, len(song.chords) - 1)]
        for beat in range(song.beats_per_bar):
            if beat == 0:
                pitch = nearest(ladder((chord.root,), low, high), place)
            elif beat == song.beats_per_bar - 1:
                pitch = nearest(ladder((following.root,), low + 1, high - 1), place) + rng.choice((-1, 1))
            else:
                pitch = nearest(ladder(chord.tones, low, high), place + rng.choice((-5, -3, 3, 5)))
            place = pitch if low + 4 < pitch < high - 6 else low + 12
            strokes.append(Stroke(bar * song.beats_per_bar + beat, 0.95, pitch, 0.74 + rng.uniform(-0.06, 0.08)))
    return strokes


def bass_busy(song: Song, low: int, high: int, rng: random.Random) -> list[Stroke]:
    """A syncopated line on root, fifth and octave."""
    rhythm = _rhythm(song.beats_per_bar, 0.8, song.tempo, rng)
    strokes = []
    for bar, chord in enumerate(song.chords):
        root = nearest(ladder((chord.root,), low, high), low + 6)
        choices = [root, root, *ladder((chord.root, chord.fifth), low, min(high, root + 12))]
        beat = float(bar * song.beats_per_bar)
        for index, length in enumerate(rhythm):
            if length > 0:
                strokes.append(Stroke(beat, length * 0.9, root if index == 0 else rng.choice(choices), 0.72))
            beat += abs(length)
    return strokes


TEXTURES: Mapping[str, Texture] = MappingProxyType(
    {
        texture.__name__: texture
        for texture in (
            melody, busy_melody, strum, chop, comping, stabs, long_chords, harmony_chords, power_chords, waltz_chords,
            stride, melody_and_chords, arpeggio, roll, tremolo, ostinato, riff, counter, harmony, long_notes,
            bass_roots, bass_pulse, walking, bass_busy,
        )
    }
)  # fmt: skip
