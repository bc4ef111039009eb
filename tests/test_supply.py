"""Energy of writes at the supply: charge times voltage, by hand."""

import numpy as np
import pytest
from common import DEMO
from mtjchar.spice.measure import load_lines
from mtjchar.spice.netlist import cell_parameters
from mtjchar.sweep.sampling import nominal_device
from mtjchar.sweep.supply import supply_energies

from mtjchar.study import Line, Study, Transistor
from mtjchar.sweep import axial
from mtjchar.sweep.tasks import Task, characterize

DIRECTIONS = ("p_to_ap", "ap_to_p")
AMPLITUDES, DURATIONS = np.array([0.6, 1.2]), np.array([2e-9, 5e-9])


def study(*, wordline=None, supply="1.5 V", capacitance=0.0, generic=False, tmr=1e-4, line=1.0, **cell):
    """Change the demo; by default a junction of constant resistance, an ideal transistor, bare lines."""
    data = DEMO.model_dump(mode="json")
    wire = Line(resistance=line, capacitance=capacitance).model_dump(mode="json")
    data["cell"] |= {
        "bitline": wire,
        "sourceline": wire,
        "wordline": wordline,
        "supply_voltage": supply,
        **cell,
    }
    data["stack"]["tmr"] = tmr
    if not generic:
        data["cell"]["transistor"] = Transistor(model="ideal", on_resistance=1000.0).model_dump(mode="json")
    data["sweep"]["duration"] |= {"start": "2 ns"}
    return Study.model_validate(data)


def energies(asked, direction, **columns):
    """Energies at the supply and at the drivers, (2, amplitudes, durations): switching, redundant."""
    device = nominal_device(asked)
    lines = load_lines(asked, cell_parameters(asked, device).assign(**columns), direction, AMPLITUDES)
    found = axial.average_over_noise(asked, device, direction, lines, AMPLITUDES, DURATIONS)
    supply = supply_energies(asked, direction, lines, AMPLITUDES, found)
    return np.stack(supply)[:, 0], np.stack([found.energy_J, found.redundant_energy_J])[:, 0]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_supply_gives_the_charge_of_a_constant_resistance(direction):
    asked = study()
    supply, _ = energies(asked, direction)
    resistance = nominal_device(asked)["parallel_resistance_ohm"].iloc[0] + 1000.0 + 2.0
    # By hand: I = V/R from half rise to half fall, times 1.5 V.
    expected = 1.5 * AMPLITUDES[:, None] / resistance * DURATIONS
    np.testing.assert_allclose(supply, np.stack([expected, expected]), rtol=1e-3)


@pytest.mark.parametrize("free_layer_to", ["bitline", "sourceline"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_supply_gives_the_charge_of_the_line(direction, free_layer_to):
    asked = study(capacitance=1e-12, line=10.0, free_layer_to=free_layer_to)
    with_line, _ = energies(asked, direction)
    without, _ = energies(study(line=10.0, free_layer_to=free_layer_to), direction)
    # By hand: C V of the driven line, at V (1 - R_line/R), times 1.5 V. The junction's current lags behind by
    # R_line C in the rise; while the line is emptied it comes from there: V/R times half a fall.
    resistance = nominal_device(asked)["parallel_resistance_ohm"].iloc[0] + 1020.0
    charge = 1e-12 * (1.0 - 2.0 * 10.0 / resistance) - 0.5 * asked.pulse.fall / resistance
    expected = 1.5 * AMPLITUDES * charge
    np.testing.assert_allclose(with_line - without, np.broadcast_to(expected[:, None], (2, 2, 2)), rtol=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_cells_of_a_word_share_the_wire_of_its_word_line(direction):
    wire = {"resistance": "1 kohm", "capacitance": "640 fF", "cells": 32}
    bare, bare_drivers = energies(study(generic=True), direction)
    shared, shared_drivers = energies(study(generic=True, wordline=wire), direction)
    # By hand: 640 fF/32 at 1.4 V: C V^2 from the supply. A driver delivers half of it in a slow ramp; the
    # time constant of the wire, 0.32 ns, is longer than the ramp of 0.1 ns.
    expected = 20e-15 * 1.4**2
    np.testing.assert_allclose(shared - bare, np.full((2, 2, 2), expected), rtol=5e-3)
    delivered = shared_drivers - bare_drivers
    assert np.all((delivered > 0.5 * expected) & (delivered < expected))


def test_half_selected_cells_take_the_charge_of_their_gates():
    wire = {"resistance": "1 kohm", "capacitance": "640 fF", "cells": 32}
    alone, half, all_ = (
        energies(study(generic=True, wordline={**wire, "half_selected": count}), "p_to_ap")[0]
        for count in (0, 32, 96)
    )
    # By hand: 1 and 3 gates more for each written cell.
    np.testing.assert_allclose(all_ - alone, 3.0 * (half - alone), rtol=1e-9)
    # Physics: oxide and overlap of 300 nm x 30 nm, some 0.3 fF, to 1.4 V.
    assert np.all((half - alone > 0.1e-15 * 1.4**2) & (half - alone < 0.6e-15 * 1.4**2))


@pytest.mark.parametrize("field", [{}, {"x": "5 mT"}], ids=["computed", "counted"])
def test_samples_have_the_energy_at_the_supply_where_it_is_asked_for(field):
    data = DEMO.model_dump(mode="json")
    data["cell"] |= {"supply_voltage": "1.2 V", "external_field": field}
    data["sweep"] |= {"trials": 50}
    data["sweep"]["amplitude"] |= {"points": 2}
    asked = Study.model_validate(data)
    samples = characterize(Task(asked, nominal_device(asked), "ap_to_p"))
    plain = samples["energy_J"] * 1.2 / samples["amplitude_V"]
    # E VDD/V, and what ramps and lines take in the drivers: up to a tenth in short pulses.
    ratio = samples["supply_energy_J"] / plain
    assert np.all((ratio > 1.0) & (ratio < 1.15))
    assert np.all(samples["redundant_supply_energy_J"] > samples["redundant_energy_J"])
    assert "supply_energy_J" not in characterize(Task(DEMO, nominal_device(DEMO), "ap_to_p"))
