"""Who plays together: artists with a sound of their own, and the pieces they play."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutti.labels import OPENMIC
from tutti.rendering.composing import Part, compose_part
from tutti.rendering.instruments import INSTRUMENTS, Font, Patch
from tutti.rendering.mixing import MixStyle, draw_style
from tutti.rendering.theory import STYLES, Style, plan_song

#: How often one to six instruments play together.
_SIZES = ((1, 2, 3, 4, 5, 6), (0.18, 0.32, 0.28, 0.13, 0.06, 0.03))
#: Share of an artist's members taken from outside the style, so that company alone tells little.
_STRANGERS = 0.35
#: Share of pieces with an instrument that has no class of its own.
_UNNAMED = 0.08


@dataclass(frozen=True)
class Artist:
    """A rendering identity: one font, one style, one sound per instrument, one kind of recording.

    Attributes:
        number: Unique over train and test.
        font: Its SoundFont.
        style: Its music.
        mix: Its sound.
        casts: Instrument names of each of its pieces, the leader first.
    """

    number: int
    font: Font
    style: Style
    mix: MixStyle
    casts: tuple[tuple[str, ...], ...]

    def patch(self, name: str, rng: random.Random) -> Patch:
        """The artist's sound for an instrument; ``rng`` must be seeded by the artist and the instrument."""
        return rng.choice(INSTRUMENTS[name].patches_of(self.font))


def form_artists(fonts: Sequence[Font], pieces: int, first_number: int, rng: random.Random) -> list[Artist]:
    """Artists with two to four pieces each, ``pieces`` in all, so that classes are heard about equally often.

    Args:
        fonts: Taken in turn.
        pieces: How many pieces they play together.
        first_number: Number of the first artist.
        rng: Draws everything.
    """
    heard: Counter[str] = Counter()
    leaders: list[str] = []
    artists: list[Artist] = []
    left = pieces
    while left:
        count = left if left <= 3 else rng.choice((2, 3, 4)) if left > 5 else 2
        if not leaders:
            leaders = rng.sample(OPENMIC, len(OPENMIC))
        leader = leaders.pop()
        style = rng.choice([style for style in STYLES if leader in style.members])
        casts = []
        for piece in range(count):
            if piece and leaders:  # the next piece's leader fits the style where one is left that does
                fitting = [name for name in leaders if name in style.members] or leaders
                leader = fitting[-1]
                leaders.remove(leader)
            cast = _cast(leader, style, heard, rng)
            heard.update(cast)
            casts.append(cast)
        font = fonts[len(artists) % len(fonts)]
        artists.append(Artist(first_number + len(artists), font, style, draw_style(rng), tuple(casts)))
        left -= count
    return artists


def _cast(leader: str, style: Style, heard: Counter[str], rng: random.Random) -> tuple[str, ...]:
    size = rng.choices(*_SIZES)[0]
    cast = [leader]
    unnamed = [name for name in style.members if name not in OPENMIC]
    if unnamed and size > 1 and rng.random() < _UNNAMED / 0.4:
        cast.append(rng.choice(unnamed))
    while len(cast) < size:
        partner = {"drums": "cymbals", "cymbals": "drums"}.get(cast[-1])
        if partner and partner not in cast and rng.random() < 0.5:
            cast.append(partner)
            continue
        pool = OPENMIC if rng.random() < _STRANGERS else tuple(name for name in style.members if name in OPENMIC)
        choices = [name for name in pool if name not in cast]
        if not choices:
            break
        weights = [1 / (1 + heard[name]) ** 1.5 for name in choices]
        cast.append(rng.choices(choices, weights)[0])
    return tuple(cast)


def play_piece(
    artist: Artist, cast: Sequence[str], patches: dict[str, Patch], seconds: float, rng: random.Random
) -> list[Part]:
    """Composes one piece: the first of the cast leads, a second pitched part sometimes shares the tune."""
    song = plan_song(artist.style, seconds, rng)
    parts = []
    for place, name in enumerate(cast):
        leads = place == 0 or (place == 1 and rng.random() < 0.25)
        parts.append(compose_part(song, INSTRUMENTS[name], patches[name], rng, leads=leads))
    return parts


def presence(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the score says.

    Returns:
        Present bool [20], leading bool [20], and clear bool [20]: False where the answer is a matter of opinion.
    """
    names = {part.instrument.name for part in parts}
    doubtful = {name for part in parts for name in part.patch.unclear} - names
    present = np.array([name in names for name in OPENMIC])
    leading = np.array([any(part.leads and part.instrument.name == name for part in parts) for name in OPENMIC])
    clear = np.array([name not in doubtful for name in OPENMIC])
    return present, leading, clear
