"""Studies that are changed in Python."""

import pytest
from common import DEMO, DEMO_FILE

from mtjchar.errors import InputError
from mtjchar.study import (
    load_study,
)


def test_changes_reach_tables_in_tables_and_leave_the_rest():
    study = load_study(DEMO_FILE)
    other = study.with_(sweep={"amplitude": {"points": 3}}, cell={"external_field": {"z": "10 mT"}})
    assert (other.sweep.amplitude.points, other.cell.external_field.z) == (3, 0.01)
    assert other.sweep.duration == study.sweep.duration
    assert other.with_(sweep={"amplitude": {"points": 12}}, cell={"external_field": {"z": 0.0}}) == study
    assert study.with_() == study


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"cell": {"temperature": 1.0}}, "cell.temperature", "233.15"),
        ({"sweep": {"amplitude": {"points": 1}}}, "sweep.amplitude.points", "2"),
        ({"cell": {"colour": 1.0}}, "cell.colour", ""),
        ({"wings": {}}, "wings", ""),
        ({"sweep": {"directions": ("up",)}}, "sweep.directions", "p_to_ap or ap_to_p"),
        ({"cell": {"supply_voltage": 0.5}}, "cell.supply_voltage", "at least the largest amplitude"),
    ],
)
def test_changes_that_cannot_be_are_refused_by_key(changes, key, allowed):
    with pytest.raises(InputError) as caught:
        DEMO.with_(**changes)
    assert str(caught.value).startswith(f"{key}: ")
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"junction": {"diameter": -1.0}}, "junction.diameter: got -1.0; allowed: above 5e-09."),
        ({"sweep": {"devices": 0}}, "sweep.devices: got 0; allowed: at least 1."),
        (
            {"junction": {"diameter": "x"}},
            "junction.diameter: got 'x'; allowed: a finite number with a unit of the dimension of m, such as "
            "'1 m'.",
        ),
    ],
)
def test_changed_values_are_refused_in_the_words_of_files(changes, says):
    with pytest.raises(InputError) as caught:
        load_study("demo").with_(**changes)
    assert str(caught.value) == says
