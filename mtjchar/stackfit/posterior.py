"""Posterior of a fit by emcee (extra `posterior`), for likelihoods that are far from normal.

References
----------
.. [1] D. Foreman-Mackey et al., Publ. Astron. Soc. Pac. 125, 306 (2013), doi:10.1086/670067.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.errors import MissingToolError
from mtjchar.files import write_bytes
from mtjchar.stackfit.result import StackFit

__all__ = ["corner_figure", "posterior"]

_WALKERS_PER_PARAMETER = 8


def posterior(fit: StackFit, *, steps: int = 600, burn: int = 200, seed: int = 1) -> pd.DataFrame:
    """Sample the posterior of the free parameters, with uniform priors between their bounds.

    Parameters
    ----------
    fit : StackFit
    steps : int, optional
        Of each walker; there are eight walkers per parameter.
    burn : int, optional
        First steps that are dropped.
    seed : int, optional

    Returns
    -------
    DataFrame
        One row per sample, one column per parameter, SI. Over-dispersion of the fit flattens the likelihood.

    Raises
    ------
    MissingToolError
        If emcee is not installed.
    """
    try:
        import emcee
    except ImportError as error:
        raise MissingToolError("emcee is not installed: pip install 'mtjchar[posterior]'") from error
    problem, size = fit.problem, len(fit.vector)
    lower, upper = np.array([problem.bounds[name] for name in problem.free]).T
    scale = np.minimum(np.sqrt(np.diag(fit.covariance)), 0.1 * (upper - lower))

    def log_probability(standard: FloatArray) -> float:
        vector = fit.vector + scale * standard
        if np.any((vector < lower) | (vector > upper)):
            return -np.inf
        return -0.5 * float(np.sum(problem.residuals(vector) ** 2)) / fit.inflation

    rng = np.random.default_rng(seed)
    start = 0.1 * rng.normal(size=(_WALKERS_PER_PARAMETER * size, size))
    inside = np.clip(fit.vector + scale * start, lower, upper)
    sampler = emcee.EnsembleSampler(len(start), size, log_probability)
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc((inside - fit.vector) / scale, steps)
    samples = fit.vector + scale * sampler.get_chain(discard=burn, flat=True)
    return pd.DataFrame(samples, columns=list(problem.free))


def corner_figure(fit: StackFit, samples: pd.DataFrame, path: str | Path | None = None) -> Any:
    """Draw the samples of `posterior` against each other, with the fitted values.

    Parameters
    ----------
    fit : StackFit
    samples : DataFrame
    path : str or Path, optional
        File of the figure.

    Raises
    ------
    MissingToolError
        If corner is not installed.
    """
    try:
        import corner
    except ImportError as error:
        raise MissingToolError("corner is not installed: pip install 'mtjchar[posterior]'") from error
    figure = corner.corner(
        samples.to_numpy(),
        labels=list(samples.columns),
        truths=fit.vector.tolist(),
        quantiles=[0.025, 0.5, 0.975],
    )
    if path is not None:
        content = io.BytesIO()
        figure.savefig(content, format=Path(path).suffix[1:] or None)
        write_bytes(path, content.getvalue())
    return figure
