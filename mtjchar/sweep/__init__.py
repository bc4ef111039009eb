"""Sampling of devices, their simulation in ngspice and Fokker-Planck, and storage of the results."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtjchar.study import Study

__all__ = ["cluster", "population", "run"]


class _CallableModule(ModuleType):
    # For one release: `mtjchar.sweep` was the function that is now `mtjchar.run_sweep`.
    def __call__(self, study: Study, out: str | Path, **options: Any) -> Path:
        from mtjchar.sweep.run import run_sweep

        warnings.warn(
            "mtjchar.sweep(...) is now mtjchar.run_sweep(...); the old call goes with the next release.",
            DeprecationWarning,
            stacklevel=2,
        )
        return run_sweep(study, out, **options)


sys.modules[__name__].__class__ = _CallableModule
