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


class TwinCell(ToyCell):
    name = "twin"
    directions = ("reset", "set")
    titles = {"set": "write 0", "reset": "write 1"}  # noqa: RUF012


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


@pytest.fixture
def twin(monkeypatch):
    """Another kind whose directions are called as those of `toy` are."""
    monkeypatch.setitem(KINDS, "twin", TwinCell())


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize("name", ["toy", "twin"])
def test_the_surface_says_which_of_two_kinds_with_the_same_directions_it_is_of(toy, tmp_path, name):
    WriteSurface(toy.dataset.assign_attrs(cell_kind=name)).save(tmp_path / "surface.nc")
    surface = WriteSurface.load(tmp_path / "surface.nc")
    assert surface.kind is KINDS[name]
    assert surface.title("set") == KINDS[name].titles["set"]
    assert surface.bit_directions == KINDS[name].directions
    for file in export_surface(surface, "json", tmp_path / "surface.json"):
        assert load_surface(file).kind is KINDS[name]


def test_files_without_the_name_of_a_kind_are_of_the_one_with_their_directions(
    analytic_surface, toy, tmp_path
):
    # As older versions wrote them.
    for surface, name in ((analytic_surface, "stt"), (toy, "toy")):
        assert "cell_kind" not in surface.dataset.attrs
        surface.save(tmp_path / "surface.nc")
        assert WriteSurface.load(tmp_path / "surface.nc").kind is KINDS[name]


def test_an_unknown_kind_is_refused_by_name(analytic_surface, tmp_path):
    surface = WriteSurface(analytic_surface.dataset.assign_attrs(cell_kind="flux"))
    with pytest.raises(InputError, match="attribute cell_kind of the surface: got 'flux'; allowed: one of "):
        surface.kind  # noqa: B018
    surface.save(tmp_path / "surface.nc")
    with pytest.raises(
        InputError, match=r"surface\.nc: attribute cell_kind: got 'flux'; allowed: one of stt"
    ):
        WriteSurface.load(tmp_path / "surface.nc")


@pytest.mark.usefixtures("toy")
def test_directions_of_another_kind_than_the_named_one_are_refused(analytic_surface, tmp_path):
    WriteSurface(analytic_surface.dataset.assign_attrs(cell_kind="toy")).save(tmp_path / "surface.nc")
    with pytest.raises(InputError, match="allowed: set and reset, one or both"):
        WriteSurface.load(tmp_path / "surface.nc")


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


def counts(directions):
    """Counts of two amplitudes and two durations in two directions."""
    pulses = pd.MultiIndex.from_product([directions, [0.5, 0.6], [5e-9, 9e-9]])
    table = pulses.to_frame(index=False, name=["direction", "amplitude_V", "duration_s"])
    return table.assign(trials=1000, errors=[90, 40, 9, 1] * 2)


@pytest.mark.usefixtures("toy")
def test_counts_in_the_directions_of_a_kind():
    table = counts(["reset", "set"])
    assert surface_from_counts(table).directions == ("set", "reset")
    assert surface_from_counts(table).dataset.attrs["cell_kind"] == "toy"
    with pytest.raises(InputError, match=r"direction: got 'up'; allowed: 'p_to_ap' or 'ap_to_p' or 'set'"):
        surface_from_counts(table.replace("reset", "up"))
    with pytest.raises(InputError, match="directions of one kind of cell"):
        surface_from_counts(table.replace("reset", "ap_to_p"))


@pytest.mark.usefixtures("toy", "twin")
def test_counts_say_their_kind_where_two_have_the_directions():
    table = counts(["reset", "set"])
    with pytest.raises(InputError, match="kind: got None; allowed: one of toy, twin"):
        surface_from_counts(table)
    assert surface_from_counts(table, kind="toy").directions == ("set", "reset")
    assert surface_from_counts(table, kind="twin").directions == ("reset", "set")
    with pytest.raises(InputError, match="kind: got 'flux'; allowed: one of stt, sot, toy, twin"):
        surface_from_counts(table, kind="flux")
    with pytest.raises(InputError, match="directions of one kind of cell: set and reset"):
        surface_from_counts(counts(["p_to_ap", "ap_to_p"]), kind="toy")


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
