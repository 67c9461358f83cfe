"""The one place where random numbers get their seeds.

Every consumer asks for a stream by name, so adding one consumer never shifts the numbers of another, and a worker or
an epoch can be replayed alone.
"""

import hashlib
import os
import random

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream ``names`` under ``seed``; stable across processes and versions."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's generator for the stream ``names``."""
    return np.random.default_rng(derive(seed, *names))


def python_random(seed: int, *names: str | int) -> random.Random:
    """Python's generator for the stream ``names``."""
    return random.Random(derive(seed, *names))


def seed_everything(seed: int, *names: str | int) -> None:
    """Seeds Python, NumPy's legacy state and torch, and asks torch for deterministic kernels."""
    import torch

    value = derive(seed, *names)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002  libraries that draw from the legacy state
    torch.manual_seed(value)
    torch.use_deterministic_algorithms(True, warn_only=True)
