"""Conversion between parameters of a junction, which pulses determine, and those of its film in a stack file.

Pulses determine the thermal stability Delta, the critical current Ic0 and the relaxation time t_D. With known
thickness, magnetization and diameter they correspond one to one to the interfacial anisotropy, the spin
polarization and the damping, by the formulas of `mtjchar.physics.anisotropy` and `mtjchar.physics.torque`.
The film in turn gives the device at any temperature and any other diameter.

The exchange stiffness decides from which diameter on the stability is that of a domain wall, see
`mtjchar.physics.reversal`. It is that of the stack, or one of a fit (`Film.with_values`); without one,
reversal is coherent. A nucleation diameter is always that of the stack.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.film_laws import Exponents, FilmLaws, volume
from mtjchar.cells.stt.stack import DIAMETER_RANGE, Stack
from mtjchar.errors import InputError
from mtjchar.physics import anisotropy, reversal, torque, tunneling
from mtjchar.units import compact

__all__ = ["Device", "Film", "FilmValues"]


class Device(NamedTuple):
    """Parameters of a junction that pulses determine; numbers, or arrays of one shape."""

    stability: FloatArray
    critical_current: FloatArray  # A, of the parallel state
    relaxation_time: FloatArray  # s


class FilmValues(NamedTuple):
    """The same in the parameters of a stack, at 300 K."""

    interfacial_anisotropy: FloatArray  # J/m^2
    spin_polarization: FloatArray
    damping: FloatArray


@dataclass(frozen=True)
class Film:
    """A circular junction of a stack at the temperature at which its device parameters are given.

    Parameters
    ----------
    stack : Stack
        Provides the values that are not fitted.
    diameter : float
        m.
    temperature : float, optional
        K.
    exponents : Exponents, optional
        Of the temperature laws, in place of the stack's; arrays broadcast with the temperatures.
    exchange_stiffness : array_like, optional
        J/m at 300 K, in place of the stack's; broadcasts with the other arguments.

    Raises
    ------
    InputError
        If diameter or temperature is out of range, or the stack has a second barrier or no stable states at
        this diameter.
    """

    stack: Stack
    diameter: float
    temperature: float = anisotropy.REFERENCE_TEMPERATURE
    exponents: Exponents | None = None
    exchange_stiffness: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        second = self.stack.second_barrier
        if second is not None and second.tmr > 0.0:
            raise InputError(
                "second_barrier.tmr of the stack", value=second.tmr,
                allowed="0 in a fit, whose second barrier has a constant resistance",
                remedy="Without the key, the fit finds one barrier that has the torque of both.",
            )  # fmt: skip
        low, high = DIAMETER_RANGE
        if not low < self.diameter < high:
            raise InputError(
                "diameter",
                value=compact(self.diameter, "m"),
                allowed=f"above {compact(low, 'm')} and below {compact(high, 'm')}",
            )
        low, high = anisotropy.REST_RANGE
        if not low <= self.temperature <= high:
            raise InputError(
                "temperature", value=compact(self.temperature, "K"), allowed=f"{low:g} to {high:g} K"
            )
        self.check_hottest(self.temperature)
        self.check_measured(self.temperature)
        stability = float(np.min(self.nominal().stability))
        if not stability >= 10.0 and self.exponents is None and self.exchange_stiffness is None:
            raise InputError(
                f"thermal stability of {self.stack.name} at {compact(self.diameter, 'm')}",
                value=round(stability, 2),
                allowed="at least 10, to start a fit from",
                remedy="Raise interfacial_anisotropy in the stack file, or check --diameter.",
            )

    def with_values(self, values: Mapping[str, Any]) -> Film:
        """Return the film with exponents and exchange stiffness of a fit, where it has them."""
        changed: dict[str, Any] = {}
        if any(f"{name}_exponent" in values for name in Exponents._fields):
            changed["exponents"] = Exponents.of(self.stack, values)
        if "exchange_stiffness" in values:
            changed["exchange_stiffness"] = values["exchange_stiffness"]
        return dataclasses.replace(self, **changed) if changed else self

    def laws(self, temperature: npt.ArrayLike) -> FilmLaws:
        """Return the laws of the film at temperatures in K.

        Beyond measured tables of the stack, where a search may try junctions that are hotter or colder than
        stated, they are those at the end of the table. `check_measured` refuses such temperatures of data.
        """
        if self.stack.over_temperature:
            temperature = np.clip(temperature, *self.stack.temperature_range)
        return FilmLaws(self.stack, temperature, self.exponents)

    @property
    def volume(self) -> float:
        """Of the free layer, m^3."""
        return float(volume(self.diameter, self.stack.free_layer_thickness))

    def area(self, diameter: npt.ArrayLike | None = None) -> FloatArray:
        """Area of junctions, m^2, of diameters (m; default: that of the film)."""
        return np.asarray(0.25 * np.pi * self._width(diameter) ** 2)

    def check_hottest(self, temperature: float) -> None:
        """Refuse a temperature (K) at which the law of the stack's magnetization no longer holds.

        Raises
        ------
        InputError
        """
        hottest = anisotropy.UP_TO_CURIE * self.stack.curie_temperature
        if temperature > hottest:
            raise InputError(
                "temperature", value=compact(temperature, "K"),
                allowed=f"up to {hottest:g} K, {anisotropy.UP_TO_CURIE:.0%} of the Curie temperature of "
                f"{self.stack.name}",
                remedy="Leave hotter rows out, or check curie_temperature in the stack file.",
            )  # fmt: skip

    def check_measured(self, temperature: npt.ArrayLike) -> None:
        """Refuse temperatures (K) outside the measured tables of the stack.

        Raises
        ------
        InputError
        """
        FilmLaws(self.stack, temperature)

    def magnetization(self, temperature: npt.ArrayLike) -> FloatArray:
        """Saturation magnetization, A/m, at temperatures in K."""
        return self.laws(temperature).magnetization(self.stack.saturation_magnetization)

    def parallel_resistance(
        self, temperature: npt.ArrayLike, product: npt.ArrayLike, diameter: npt.ArrayLike | None = None
    ) -> FloatArray:
        """Resistance in P, ohm, for a resistance-area product (ohm m^2) at 300 K.

        `diameter` (m) is by default that of the film.
        """
        product = self.laws(temperature).resistance_area_product(product)
        return tunneling.parallel_resistance(product, self._width(diameter))

    def tmr(self, temperature: npt.ArrayLike, tmr: float) -> FloatArray:
        """TMR at zero bias at temperatures in K, from that at 300 K."""
        return self.laws(temperature).tmr(tmr)

    def nominal(self) -> Device:
        """Device parameters of the unchanged stack."""
        stack = self.stack
        values = FilmValues(
            *map(np.asarray, (stack.interfacial_anisotropy, stack.spin_polarization, stack.damping))
        )
        return self.device(values, self.temperature)

    def device(
        self,
        film: FilmValues,
        temperature: npt.ArrayLike,
        diameter: npt.ArrayLike | None = None,
    ) -> Device:
        """Device parameters at temperatures in K, and at diameters in m (default: that of the film).

        All arguments broadcast.
        """
        laws = self.laws(temperature)
        free = laws.free_layer(
            self.stack.free_layer_thickness,
            self._width(diameter),
            self.magnetization(temperature),
            laws.interfacial_anisotropy(film.interfacial_anisotropy),
            laws.polarization(film.spin_polarization),
            film.damping,
            exchange_stiffness=self._stiffness(temperature),
        )
        return Device(free.stability, free.critical_current, free.relaxation_time)

    def device_at(
        self,
        device: Device,
        temperature: npt.ArrayLike,
        diameter: npt.ArrayLike | None = None,
    ) -> Device:
        """Device parameters of the same film at other temperatures and diameters.

        Parameters
        ----------
        device : Device
            At the temperature and the diameter of the film.
        temperature : array_like
            K.
        diameter : array_like, optional
            m; default: that of the film.

        Returns
        -------
        Device
            Of the shape that all arguments broadcast to.
        """
        film = self.film(device)
        # Damping cancels in the ratios. No film has a polarization above 1, or a damping that is NaN; the
        # laws of the stack then still give the ratios.
        known = np.where(
            np.isnan(film.spin_polarization), self.stack.spin_polarization, film.spin_polarization
        )
        of_stack = film._replace(
            spin_polarization=np.minimum(known, 1.0), damping=np.asarray(self.stack.damping)
        )
        here, there = self.device(of_stack, self.temperature), self.device(of_stack, temperature, diameter)
        return Device(
            there.stability,
            device.critical_current * there.critical_current / here.critical_current,
            device.relaxation_time * there.relaxation_time / here.relaxation_time,
        )

    def film(self, device: Device) -> FilmValues:
        """Parameters of the stack from those of the device at `temperature` and `diameter`.

        The damping is NaN if no damping gives such a short relaxation time. The polarization is above 1
        if no film has such a small critical current.
        """
        laws = self.laws(self.temperature)
        magnetization = self.magnetization(self.temperature)
        energy = self._anisotropy(device.stability, self.temperature)
        thickness = np.asarray(self.stack.free_layer_thickness)
        interfacial = anisotropy.interfacial_anisotropy(
            energy, thickness, magnetization, np.asarray(self.diameter), self.stack.demagnetization
        )
        interfacial = interfacial / laws.interfacial_anisotropy(1.0)
        damping = self.damping(device.stability, device.relaxation_time)
        kelvin = np.asarray(self.temperature)
        coherent = anisotropy.thermal_stability(energy, np.asarray(self.volume), kelvin)
        # critical_current is 4 alpha e kB T Delta/(hbar eta) with the coherent Delta, solved here for eta.
        efficiency = (
            torque.critical_current(damping, coherent, kelvin, np.asarray(1.0)) / device.critical_current
        )
        polarization = torque.polarization_of(np.asarray(efficiency), self.stack.torque)
        return FilmValues(interfacial, polarization / laws.polarization(1.0), damping)

    def anisotropy_field(
        self,
        stability: npt.ArrayLike,
        temperature: npt.ArrayLike | None = None,
        diameter: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Anisotropy field mu0 Hk, T, for a stability at temperatures (K) and diameters (m).

        It is 2 kB T Delta/(Ms V) if reversal is coherent.
        """
        kelvin = np.asarray(self.temperature if temperature is None else temperature)
        energy = self._anisotropy(stability, kelvin, diameter)
        return anisotropy.anisotropy_field(energy, self.magnetization(kelvin))

    def coherent_share(self, stability: npt.ArrayLike) -> FloatArray:
        """Share of the volume of the junction that fluctuates as one macrospin, for a stability."""
        field = self.anisotropy_field(stability)
        return self.moment_ratio(stability, field)

    def moment_ratio(self, stability: npt.ArrayLike, anisotropy_field: npt.ArrayLike) -> FloatArray:
        """Moment 2 kB T Delta/(mu0 Hk) that a stability and a field (T) imply, over Ms V of the junction."""
        moment = self.magnetization(self.temperature) * self.volume
        coherent = 2.0 * constants.k * self.temperature * np.asarray(stability) / moment
        return np.asarray(coherent / np.asarray(anisotropy_field))

    def damping(
        self,
        stability: npt.ArrayLike,
        relaxation_time: npt.ArrayLike,
    ) -> FloatArray:
        """Gilbert damping from the relaxation time (s); NaN if there is none."""
        # (1 + alpha^2)/alpha = t_D gamma mu0 Hk =: c has two roots; damping is the one below 1.
        field = self.anisotropy_field(stability)
        c = np.asarray(relaxation_time) * anisotropy.GAMMA * field
        with np.errstate(invalid="ignore"):
            return np.asarray(2.0 / (c + np.sqrt(c**2 - 4.0)))

    def _anisotropy(
        self,
        stability: npt.ArrayLike,
        temperature: npt.ArrayLike,
        diameter: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Effective anisotropy, J/m^3, for a stability."""
        return reversal.anisotropy_of_barrier(
            np.asarray(stability) * constants.k * np.asarray(temperature),
            self._width(diameter),
            self.stack.free_layer_thickness,
            self._stiffness(temperature),
            self.stack.wall_and_nucleus[1],
        )

    def _stiffness(self, temperature: npt.ArrayLike) -> FloatArray:
        """Exchange stiffness at temperatures, J/m."""
        own = self.stack.wall_and_nucleus[0] if self.exchange_stiffness is None else self.exchange_stiffness
        return self.laws(temperature).exchange_stiffness(own)

    def _width(self, diameter: npt.ArrayLike | None) -> FloatArray:
        """Diameters, m; NaN stands for that of the film."""
        if diameter is None:
            return np.asarray(self.diameter)
        given = np.asarray(diameter, dtype=np.float64)
        return np.where(np.isnan(given), self.diameter, given)
