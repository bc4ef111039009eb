"""Figures of a cell and of its devices."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from mtjchar.cells import Direction
from mtjchar.cells.base import Portrait
from mtjchar.errors import InputError
from mtjchar.plotting.axes import line_style, new_axes
from mtjchar.plotting.files import plain
from mtjchar.plotting.surfaces import LOWEST_RATE
from mtjchar.surfaces.devices import DeviceRates

__all__ = ["device_tail", "portrait"]


def portrait(drawn: Portrait, ax: Axes | None = None) -> Axes:
    """Draw what a kind of cell shows of itself.

    Parameters
    ----------
    drawn : Portrait
    ax : Axes, optional
        New ones if not given.
    """
    axes = new_axes(ax)
    for k, curve in enumerate(drawn.curves):
        axes.plot(curve.x, curve.y, label=plain(curve.name), **line_style(k))
    axes.set(xlabel=plain(drawn.x_label), ylabel=plain(drawn.y_label), title=plain(drawn.title))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, edgecolor="none", framealpha=0.7)
    return axes


def device_tail(
    rates: DeviceRates, direction: Direction, amplitude: float, duration: float, ax: Axes | None = None
) -> Axes:
    """Draw which share of the devices has an error rate above a value, and which share of the BER they carry.

    Parameters
    ----------
    rates : DeviceRates
    direction : str
        One of those of its surface.
    amplitude, duration : float
        V and s, one pulse.
    ax : Axes, optional
        New ones if not given.

    Raises
    ------
    InputError
        If there are no devices.
    """
    if not len(rates.weight):
        raise InputError("devices", value=0, allowed="at least one device with results at every pulse")
    axes, surface = new_axes(ax), rates.surface
    values = rates.rates(direction, amplitude, duration)
    weakest = np.argsort(values)[::-1]
    sorted_values, weight = np.maximum(values[weakest], LOWEST_RATE), rates.weight[weakest]
    carried = weight * values[weakest]
    for k, (label, part) in enumerate((("devices", weight), ("BER that they carry", carried))):
        # The share of all that lies at this value or above it.
        axes.step(sorted_values, np.cumsum(part) / part.sum(), where="post", label=label, **line_style(k))
    mean = max(float(surface.ber(direction, amplitude, duration)), LOWEST_RATE)
    axes.axvline(mean, color="black", linewidth=1.0, linestyle=":", label="BER, the mean")
    lowest, highest = min(mean, sorted_values[-1]), max(mean, sorted_values[0])
    if highest < 1.01 * lowest:
        # One device, or devices that are alike: between rounding errors there is no axis.
        axes.set_xlim(0.5 * lowest, 2.0 * highest)
    axes.set(
        xscale="log", yscale="log", ylim=(1e-6, 2.0), title=surface.title(direction),
        xlabel="write error rate of a device", ylabel="share above it",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, edgecolor="none", framealpha=0.7, loc="lower left")
    return axes
