"""What a measurement was made on, and the fastest that it could do arithmetic."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

_SIZE = 1024
_ROUNDS = 5


def describe_machine() -> dict[str, Any]:
    """Processor, cores, accelerator and library versions, JSON-able."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def matmul_gflops(device: torch.device) -> float:
    """The best of a few float32 products of 1024 x 1024 matrices, in 1e9 operations a second: the limit."""
    a, b = torch.randn(_SIZE, _SIZE, device=device), torch.randn(_SIZE, _SIZE, device=device)
    best = float("inf")
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        product = a @ b
        product[0, 0].item()  # waits for an accelerator
        best = min(best, time.perf_counter() - begin)
    return 2 * _SIZE**3 / best / 1e9
