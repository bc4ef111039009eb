"""Sampling devices, running them through ngspice and Fokker-Planck, and keeping the results.

The module can be called: ``mtjchar.sweep(study, out="run")`` is `mtjchar.sweep.run.sweep`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtjchar.study import Study


class _CallableModule(ModuleType):
    # The public name of the function is also that of this package, which has to stay importable.
    def __call__(
        self,
        study: Study,
        out: str | Path,
        *,
        workers: int | None = None,
        executor: Executor | None = None,
        limit: float | None = None,
        progress: Callable[[int, int], None] | None = None,
        log: Callable[[Mapping[str, object]], None] | None = None,
    ) -> Path:
        from mtjchar.sweep.run import sweep

        return sweep(study, out, workers=workers, executor=executor, limit=limit, progress=progress, log=log)


sys.modules[__name__].__class__ = _CallableModule
