"""Changes of programmed bits: retention of the cells. `mtjchar.network.reads` has the reads.

State 0 is the one that stores a 0, P in an STT cell; state 1 is the other one. Arrays have the states along
the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.network.reads import ReadConditions, rates_of_states
from mtjchar.study import Study

__all__ = ["ReadConditions", "Retention"]


@dataclass(frozen=True, eq=False)
class Retention:
    """Rates at which the cells lose their state.

    Attributes
    ----------
    escape_rate : array_like of float, shape (2,) or (devices, 2)
        Rate of leaving state 0 and state 1, 1/s, finite, at least 0; with a first axis for each device that a
        cell can be.
    device_weight : array_like of float, shape (devices,), optional
        Share of each device in the population, in any unit; required with rates of devices.

    Raises
    ------
    InputError
        If a number or a shape is out of range.

    Examples
    --------
    Cells that lose their state once in 1e9 s on average:

    >>> Retention((1e-9, 1e-9)).escape_rate.shape
    (2,)
    """

    escape_rate: npt.ArrayLike
    device_weight: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        rates = rates_of_states("escape_rate", self.escape_rate, np.inf)
        object.__setattr__(self, "escape_rate", rates)
        if rates.ndim == 1:
            if self.device_weight is not None:
                raise InputError("device_weight", value="weights", allowed="none with rates of one device")
            return
        weight = np.asarray(() if self.device_weight is None else self.device_weight, dtype=np.float64)
        if (
            weight.shape != (len(rates),)
            or not (np.isfinite(weight) & (weight >= 0.0)).all()
            or weight.sum() <= 0.0
        ):
            raise InputError(
                "device_weight",
                value=self.device_weight,
                allowed=f"{len(rates)} finite numbers, 0 or more, not all 0: one for each device",
            )
        object.__setattr__(self, "device_weight", weight)

    @classmethod
    def of_devices(cls, study: Study, devices: pd.DataFrame, temperature: float) -> Retention:
        """Use the escape rates of a run's devices over their energy barriers.

        Parameters
        ----------
        study : Study
            Of the run, as `mtjchar.Run.study`.
        devices : DataFrame
            Of the run, as `mtjchar.Run.devices`. With write error rates of devices, use the same ones:
            ``run.devices.iloc[rates.rows]`` with `mtjchar.surfaces.DeviceRates`.
        temperature : float
            K. If it differs from that of the study, the laws of the cell kind convert the devices.

        Raises
        ------
        InputError
            If the temperature is out of range, a device has no stable state, or the kind provides no escape
            rates.
        """
        rates = study.kind.escape_rates(study.tables, devices, temperature)
        return cls(rates, devices["weight"].to_numpy(dtype=np.float64))
