"""Lets torchaudio, whose only wheel is built for CUDA, be imported beside a CPU build of torch.

torchaudio refuses to import when its compiled extension cannot be loaded. Everything Tutti uses of it (filter banks,
MFCC, Kaldi fbank, masking) is plain Python over torch, so only the loader of that extension is replaced. Under a CUDA
torch, or a CPU build of torchaudio, nothing is changed.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn

_EXTENSION = "torchaudio._extension"


class _ExtensionFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _EXTENSION:
            return None
        import torch
        from torchaudio.version import __version__ as torchaudio_version

        if torch.version.cuda is not None or "+cu" not in torchaudio_version:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        def fail_if_no_align(fn: Callable[..., Any]) -> Callable[..., Any]:
            def missing(*args: Any, **kwargs: Any) -> NoReturn:
                raise RuntimeError(
                    f"{fn.__name__} needs torchaudio's compiled extension, which a CPU torch cannot load"
                )

            return missing

        module.__dict__.update(
            _IS_TORCHAUDIO_EXT_AVAILABLE=False,
            _IS_ALIGN_AVAILABLE=False,
            _check_cuda_version=lambda: None,
            fail_if_no_align=fail_if_no_align,
        )


def install() -> None:
    """Adds the import hook once; it imports neither torch nor torchaudio itself."""
    if not any(isinstance(finder, _ExtensionFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ExtensionFinder())
