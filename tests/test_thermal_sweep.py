"""The sweep's hot junctions against the thermal node of the netlists: two programs, one law of heating."""

import numpy as np
import pytest
from test_thermal_node import EVERYTHING, LAWS, HotJunction, study_with

from mtjchar.cells.stt import axial
from mtjchar.cells.stt.drivers import EdgeTimes, pulse_start
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.sweep.population import Population

HOT = {"thermal_resistance_area": 3e-9, "thermal_time": 2e-9}
DURATIONS = np.geomspace(1e-9, 12e-9, 12)


class Both:
    """One write, in the sweep and in ngspice with the axial model, from the thermal angle."""

    def __init__(self, law, direction, amplitude, written=False):
        self.study = study_with(EVERYTHING | LAWS[law] | HOT)
        self.tables, self.direction = self.study.tables, direction
        self.device = Population(self.study).nominal()
        self.cells = cell_parameters(self.tables, self.device)
        self.start = 1.0 if direction == "p_to_ap" else -1.0
        self.well = 1.0 - 0.5 / float(self.device["thermal_stability"].iloc[0])
        self.pulses = self.study.pulses.at(amplitude)._replace(duration_s=DURATIONS)
        self.lines = load_lines(self.tables, self.cells, direction, self.pulses)
        self.edges = EdgeTimes.of(self.tables, self.pulses)
        side = -self.start if written else self.start
        self.write = write_waveforms(
            self.tables, self.cells.assign(u0=side * np.arctanh(self.well)), direction,
            self.pulses._replace(duration_s=DURATIONS[-1:]),
        )  # fmt: skip

    def sweep(self):
        """The sweep's systems, and the course of the temperature of a junction that waits."""
        solved = np.ones((1, 1), dtype=bool)
        writes = axial._Writes.of(
            self.tables, self.device, self.direction, self.lines, self.pulses.amplitude_V, solved
        )
        rise, _ = writes._edges(self.edges)
        plateau = np.maximum(DURATIONS - self.edges.outside, 0.0)
        return writes.hot, writes.hot.waiting(rise, plateau)[1]

    def at(self, time, values):
        """A waveform at times since the start of the plateau."""
        begin = pulse_start(self.tables, self.pulses) + self.edges.rise.sum()
        return np.interp(begin + time, self.write.time_s, values)

    def overdrive(self, m_z, current, kelvin):
        """Overdrive of a junction with this current, its asymmetry and VCMA included, by numpy's physics."""
        hot, stack = HotJunction(self.study).at(kelvin), self.study.stack
        volt = current * hot.device["parallel_resistance_ohm"]
        for _ in range(60):
            volt *= current / hot.current(np.array([0.0, 0.0, m_z]), volt)
        volt *= -self.start
        damping_like = float(hot.damping_like_field(np.array([0.0, 0.0, m_z]), volt))
        ratio = stack.field_like_torque * (volt if stack.torque == "voltage" else 1.0)
        field, thickness = hot.device["anisotropy_field_T"], hot.device["free_layer_thickness_m"]
        softer = -2.0 * stack.vcma_coefficient * volt / (stack.barrier_thickness * thickness * hot.ms)
        own = abs(damping_like) * (1.0 + hot.alpha * ratio) / (hot.alpha * field)
        return own - softer / field * self.well


WRITES = [("p_to_ap", 0.45), ("p_to_ap", 0.6), ("ap_to_p", 0.35), ("ap_to_p", 0.5)]


@pytest.mark.parametrize(("direction", "amplitude"), WRITES)
@pytest.mark.parametrize("law", LAWS)
def test_temperature_and_overdrive_until_the_junction_leaves_its_state(law, direction, amplitude):
    # 2 %: in the sweep a waiting junction stays in the well, in ngspice it is on its way; while m_z is within
    # 0.2 of the start. In the first nanosecond, in the well, 0.5 %.
    both = Both(law, direction, amplitude)
    systems, course = both.sweep()
    end, kelvin = course.end[:-1, 0], course.final[:-1, 0]
    found = {
        name: both.at(end, values)
        for name, values in {
            "m_z": both.write.m_z[0], "kelvin": both.write.temperature_K[0],
            "current": np.abs(both.write.current_A[0]),
        }.items()
    }  # fmt: skip
    waiting = np.abs(found["m_z"] - both.start) < 0.2
    assert waiting.sum() >= 2
    rise = (kelvin - 300.0)[waiting]
    assert rise.max() > 13.0
    np.testing.assert_allclose(rise, found["kelvin"][waiting] - 300.0, rtol=0.02)
    np.testing.assert_allclose(rise[0], found["kelvin"][0] - 300.0, rtol=0.005)
    at_well = np.full(1, both.well)
    drive = [float(systems.drive(at_well, np.array([hot]))[0]) for hot in kelvin[waiting]]
    expected = [
        both.overdrive(found["m_z"][k], found["current"][k], found["kelvin"][k])
        for k in np.flatnonzero(waiting)
    ]
    np.testing.assert_allclose(drive, expected, rtol=0.02)
    np.testing.assert_allclose(drive[0], expected[0], rtol=0.005)


@pytest.mark.parametrize(("direction", "amplitude"), WRITES[1::2])
def test_energy_of_a_redundant_write(direction, amplitude):
    # The junction stays in the state that is written and heats up; both programs then do the same. Measured:
    # 5e-4.
    both = Both("voltage", direction, amplitude, written=True)
    found = axial.average_over_noise(both.tables, both.device, direction, both.lines, both.pulses)
    assert both.write.temperature_K.max() > 330.0
    assert np.abs(both.write.m_z + both.start).max() < 0.05
    assert found.redundant_energy_J[0, 0, -1] == pytest.approx(both.write.energy_J[0], rel=2e-3)
