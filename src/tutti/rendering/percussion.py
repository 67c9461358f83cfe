"""What drums and cymbals play.

They are two instruments here, because OpenMIC asks about them apart: ``drums`` are kick, snare and toms, ``cymbals``
are hi-hat, ride, crash and splash. A full kit is both at once, from one plan of the song.
"""

import random
from types import MappingProxyType

from tutti.rendering.theory import Song, Stroke

KICK, STICK, SNARE, SNARE_2 = 36, 37, 38, 40
TOMS = (50, 48, 47, 45, 43, 41)
HAT_CLOSED, HAT_PEDAL, HAT_OPEN = 42, 44, 46
CRASH, CRASH_2, RIDE, RIDE_BELL, RIDE_2, SPLASH, CHINA = 49, 57, 51, 53, 59, 55, 52

# A character is a sixteenth: "X" accent, "x" plain, "o" soft.
_DRUMS_IN_FOUR = (
    {KICK: "X.......X.x.....", SNARE: "....X.......X..."},
    {KICK: "X..x....X.......", SNARE: "....X..o.o..X..o"},
    {KICK: "X.x...x...x.....", SNARE: "....X.......X..."},
    {KICK: "X...X...X...X...", SNARE: "....x.......x..."},
    {KICK: "x.....x.x.....x.", STICK: "x..x..x...x..x.."},
    {KICK: "X...............", SNARE: "o.o.X.o.o.o.X.oo"},
    {KICK: "X.......X.......", 45: "x..x..x.....x...", 41: "......x.x.....xx"},
    {KICK: "X...x...X...x...", SNARE: "xoxoxoxxxoxoxoxx"},
)
_DRUMS_IN_THREE = (
    {KICK: "X...........", SNARE: "....x...x..."},
    {KICK: "X.....x.....", STICK: "....x...x..."},
    {KICK: "X...........", 47: "....x.x.x...", 43: "........x.x."},
)
_CYMBALS_IN_FOUR = (
    {HAT_CLOSED: "X.x.X.x.X.x.X.x."},
    {HAT_CLOSED: "XoxoXoxoXoxoXoxo"},
    {HAT_CLOSED: "X.x.X.x.X.x.X...", HAT_OPEN: "..............x."},
    {HAT_OPEN: "..X...X...X...X.", HAT_CLOSED: "x...x...x...x..."},
    {RIDE: "X...x.x.X...x.x.", HAT_PEDAL: "....x.......x..."},
    {RIDE: "X.x.X.x.X.x.X.x."},
    {RIDE_BELL: "X...X...X...X...", RIDE: "..x...x...x...x."},
    {RIDE_2: "x...x...x...x...", HAT_PEDAL: "....X.......X..."},
    {CRASH: "X.......X.......", CRASH_2: "....x.......x..."},
    {CRASH: "X...............", SPLASH: "........x.....x.", HAT_CLOSED: "..x.x.x...x.x..."},
)
_CYMBALS_IN_THREE = (
    {RIDE: "X...x...x..."},
    {HAT_CLOSED: "X.x.x.x.x.x."},
    {HAT_CLOSED: "....x...x...", CRASH: "X..........."},
)
_LEVELS = MappingProxyType({"X": 0.92, "x": 0.68, "o": 0.38})


def _play(song: Song, pattern: dict[int, str], rng: random.Random, *, ring: float) -> list[Stroke]:
    strokes = []
    for bar in range(len(song.chords)):
        for key, steps in pattern.items():
            for step, mark in enumerate(steps):
                if mark != ".":
                    beat = bar * song.beats_per_bar + step / 4
                    strokes.append(Stroke(beat, ring, key, _LEVELS[mark] + rng.uniform(-0.06, 0.06)))
    return strokes


def drums(song: Song, rng: random.Random) -> list[Stroke]:
    """Kick, snare and toms: one groove, with a fill over the toms every second or fourth bar."""
    pattern = rng.choice(_DRUMS_IN_FOUR if song.beats_per_bar == 4 else _DRUMS_IN_THREE)
    every = rng.choice((2, 4, 4))
    strokes = _play(song, pattern, rng, ring=0.4)
    for bar in range(every - 1, len(song.chords), every):
        start = (bar + 1) * song.beats_per_bar - 1.0
        strokes = [stroke for stroke in strokes if not start <= stroke.beat < start + 1.0]
        for step in range(4):
            key = rng.choice((SNARE, TOMS[step], TOMS[step + 1]))
            strokes.append(Stroke(start + step / 4, 0.4, key, 0.7 + 0.06 * step))
    return strokes


def cymbals(song: Song, rng: random.Random) -> list[Stroke]:
    """Hi-hat, ride or crash in one pattern, crashes at the head of phrases, now and then a swell into one."""
    pattern = rng.choice(_CYMBALS_IN_FOUR if song.beats_per_bar == 4 else _CYMBALS_IN_THREE)
    strokes = _play(song, pattern, rng, ring=1.5)
    every = rng.choice((2, 4))
    swell = rng.random() < 0.25
    for bar in range(0, len(song.chords), every):
        start = float(bar * song.beats_per_bar)
        strokes.append(Stroke(start, 4.0, rng.choice((CRASH, CRASH_2, CRASH, SPLASH, CHINA)), 0.85))
        if swell and bar:
            strokes += [Stroke(start - 2.0 + step / 8, 0.5, CRASH_2, 0.2 + 0.035 * step) for step in range(16)]
    return strokes
