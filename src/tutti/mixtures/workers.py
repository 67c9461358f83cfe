"""Sharing the rendering of mixtures among processes, with the same bytes whatever their number."""

import io
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import soundfile

from tutti.mixtures.plan import MixPlan, Rendered, Renderer, Sounds

#: A process takes seconds to start, so each must have this many mixtures to make.
LEAST_EACH = 100
#: Mixtures on the way for each process; it bounds the memory that finished ones take.
_AHEAD = 4


@dataclass(frozen=True)
class Made:
    """A mixture as a file, with what was found in its sound.

    Attributes:
        flac: 16-bit FLAC.
        rendered: Its labels; the samples are left out.
    """

    flac: bytes
    rendered: Rendered


@dataclass(frozen=True)
class Workshop:
    """What a process needs to make mixtures.

    Attributes:
        renderer: Makes the sound.
        sounds: Gives the notes.
        sample_rate: Hz.
    """

    renderer: Renderer
    sounds: Sounds
    sample_rate: int

    def make(self, plan: MixPlan) -> Made:
        """The mixture of a plan."""
        found = self.renderer(plan, self.sounds)
        nothing = np.zeros(0, np.float32)
        kept = Rendered(nothing, found.sounding, found.present, found.absent)
        return Made(_flac(found.samples, self.sample_rate), kept)


def default_workers(mixtures: int) -> int:
    """A process per core, or fewer when there is little to do."""
    return max(1, min(os.cpu_count() or 1, mixtures // LEAST_EACH))


def make_all(workshop: Workshop, plans: Iterable[MixPlan], workers: int) -> Iterator[tuple[MixPlan, Made]]:
    """Makes mixtures in the order of their plans.

    Args:
        workshop: What makes them.
        plans: Their plans; asked for as they are needed.
        workers: Number of processes; with 1 everything happens in this one.

    Yields:
        Each plan with its mixture.
    """
    if workers == 1:
        for plan in plans:
            yield plan, workshop.make(plan)
        return
    # Processes that start afresh: a copy of one that runs threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _open_workshop, (workshop,)) as pool:
        pending: deque[tuple[MixPlan, Future[Made]]] = deque()
        try:
            for plan in plans:
                pending.append((plan, pool.submit(_make, plan)))
                if len(pending) > _AHEAD * workers:
                    done, future = pending.popleft()
                    yield done, future.result()
            while pending:
                done, future = pending.popleft()
                yield done, future.result()
        finally:
            for _, future in pending:
                future.cancel()


_WORKSHOP: list[Workshop] = []


def _open_workshop(workshop: Workshop) -> None:
    _WORKSHOP.append(workshop)


def _make(plan: MixPlan) -> Made:
    return _WORKSHOP[0].make(plan)


def _flac(samples: np.ndarray, sample_rate: int) -> bytes:
    file = io.BytesIO()
    whole = np.round(samples.T * 32767.0).astype(np.int16)
    soundfile.write(file, whole, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
