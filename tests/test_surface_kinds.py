"""A surface of another kind of cell: its directions, its titles, and what is refused of it."""

import numpy as np
import pandas as pd
import pytest

import mtjchar
from mtjchar import surfaces
from mtjchar.cells import KINDS, CellKind
from mtjchar.errors import InputError
from mtjchar.export import Settings, export_surface, load_surface
from mtjchar.network.allocation import Pulses, PulseTable
from mtjchar.network.tradeoff import write_conditions
from mtjchar.plotting import surface_figures
from mtjchar.surfaces import WriteSurface, surface_from_counts

NAMES = {"p_to_ap": "set", "ap_to_p": "reset"}


class ToyCell(CellKind):
    name = "toy"
    directions = ("set", "reset")
    titles = {"set": "SET", "reset": "RESET"}  # noqa: RUF012
    nominal = derive = drive = average = describe = None  # a surface asks for none of them


@pytest.fixture
def toy(monkeypatch, analytic_surface):
    """The analytic surface, written in the directions of another kind, the one that writes 0 swept first."""
    monkeypatch.setitem(KINDS, "toy", ToyCell())
    data = analytic_surface.dataset
    data = data.assign_coords(direction=[NAMES[name] for name in data["direction"].to_numpy()])
    return WriteSurface(data.isel(direction=[1, 0]))


def test_the_kind_gives_titles_and_the_order_of_bits(toy):
    assert toy.kind.name == "toy"
    assert toy.directions == ("reset", "set")
    assert toy.bit_directions == ("set", "reset")
    assert [toy.title(name) for name in (*toy.directions, "both")] == ["RESET", "SET", "one pulse for both"]


def test_a_surface_of_unknown_directions_still_answers(analytic_surface):
    unknown = WriteSurface(analytic_surface.dataset.assign_coords(direction=["up", "down"]))
    assert unknown.title("up") == "up"
    assert unknown.ber("up", 0.8, 8e-9) == analytic_surface.ber("p_to_ap", 0.8, 8e-9)
    with pytest.raises(InputError, match="surface: got 'up, down'; allowed: p_to_ap and ap_to_p"):
        unknown.bit_directions  # noqa: B018


def test_one_direction_writes_no_bits(analytic_surface):
    alone = WriteSurface(analytic_surface.dataset.sel(direction=["ap_to_p"]))
    assert alone.kind.name == "stt"
    with pytest.raises(InputError, match="Sweep both directions"):
        alone.bit_directions  # noqa: B018


def test_the_file_comes_back(toy, tmp_path):
    toy.save(tmp_path / "surface.nc")
    assert WriteSurface.load(tmp_path / "surface.nc").dataset.identical(toy.dataset)
    (file,) = [path for path in export_surface(toy, "csv", tmp_path / "surface.csv") if path.suffix == ".csv"]
    assert set(pd.read_csv(file)["direction"]) == {"set", "reset"}
    assert load_surface(file).directions == toy.directions


def test_files_with_directions_of_two_kinds_are_refused(toy, tmp_path):
    mixed = WriteSurface(toy.dataset.assign_coords(direction=["set", "ap_to_p"]))
    mixed.save(tmp_path / "surface.nc")
    with pytest.raises(InputError, match=r"allowed: p_to_ap and ap_to_p, or set and reset, one or both"):
        WriteSurface.load(tmp_path / "surface.nc")


def test_training_and_pulses_by_bit_plane_take_the_order_of_the_kind(toy, analytic_surface):
    pulses = Pulses(np.array([[0.8, 0.7]]), np.array([[5e-9, 6e-9]]))
    ours, theirs = write_conditions(toy, pulses), write_conditions(analytic_surface, pulses)
    np.testing.assert_array_equal(ours.error_rate, theirs.error_rate)
    np.testing.assert_array_equal(ours.redundant_energy_J, theirs.redundant_energy_J)
    for mine, other in zip(PulseTable.of(toy), PulseTable.of(analytic_surface), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.usefixtures("toy")
def test_counts_in_the_directions_of_a_kind():
    pulses = pd.MultiIndex.from_product([["reset", "set"], [0.5, 0.6], [5e-9, 9e-9]])
    table = pulses.to_frame(index=False, name=["direction", "amplitude_V", "duration_s"])
    table["trials"], table["errors"] = 1000, [90, 40, 9, 1] * 2
    assert surface_from_counts(table).directions == ("set", "reset")
    with pytest.raises(InputError, match=r"direction: got 'up'; allowed: 'p_to_ap' or 'ap_to_p' or 'set'"):
        surface_from_counts(table.replace("reset", "up"))
    with pytest.raises(InputError, match="directions of one kind of cell"):
        surface_from_counts(table.replace("reset", "ap_to_p"))


def test_figures_have_the_titles_of_the_kind(toy, tmp_path):
    surface_figures(toy, tmp_path)
    assert "<!-- RESET -->" in (tmp_path / "ber_map.svg").read_text(encoding="utf-8")


def test_what_only_a_junction_has_is_refused_in_words(toy, tmp_path):
    with pytest.raises(InputError, match="closed model is that of a junction"):
        toy.model  # noqa: B018
    with pytest.raises(InputError, match="take a format that holds the whole surface"):
        export_surface(toy, "nvsim", tmp_path / "cell", Settings(ber=1e-3))


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (mtjchar, "fit_surface", "average_devices"),
        (surfaces, "fit_surface", "average_devices"),
        (surfaces, "knobs", "compare_levers"),
    ],
)
def test_old_names_warn_and_work(module, old, new):
    with pytest.warns(DeprecationWarning, match=rf"{old} is now {new}"):
        assert getattr(module, old) is getattr(module, new)
    assert old not in module.__all__
