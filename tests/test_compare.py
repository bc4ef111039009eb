"""Scenarios side by side."""

import shutil

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from common import DEMO

from mtjchar import plotting
from mtjchar.errors import InputError
from mtjchar.study import load_study
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.comparison import compare, energy_curves
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory


def scenario(path, surface, temperature=300.0, **sweep):
    """A run directory of the demo study with a made-up surface."""
    study = DEMO.model_dump(mode="json")
    study["cell"]["temperature"] = f"{temperature} K"
    study["sweep"].update({"devices": 8, **sweep})
    study = type(DEMO).model_validate(study)
    RunDirectory.create(path, study, Population(study).draw())
    surface.save(path / "surface.nc")
    return path


@pytest.fixture(scope="module")
def runs(analytic_surface, tmp_path_factory):
    """Two scenarios; in the second, all rates are a tenth and all energies half."""
    hot = analytic_surface.dataset.copy(deep=True)
    for name, factor in {"ber": 0.1, "ber_lower": 0.1, "ber_upper": 0.1, "ber_quantile": 0.1}.items():
        hot[name] = factor * hot[name]
    hot["energy"] = 0.5 * hot["energy"]
    hot["redundant_energy"] = 0.5 * hot["redundant_energy"]
    folder = tmp_path_factory.mktemp("scenarios")
    return [
        scenario(folder / "cold", analytic_surface),
        scenario(folder / "hot", WriteSurface(hot), temperature=398.0),
    ]


def test_only_what_differs_is_shown(runs):
    differences = compare(runs).differences
    assert differences.to_dict(orient="index") == {"cell.temperature": {"cold": "300 K", "hot": "398 K"}}


def test_a_key_that_one_study_lacks_differs(runs, analytic_surface, tmp_path):
    other = scenario(tmp_path / "other", analytic_surface)
    text = (other / "study.toml").read_text()
    (other / "study.toml").write_text(text.replace("[pulse]\n", '[pulse]\namplitude = "0.9 V"\n'))
    (other / "sweep.json").unlink()  # which knows the study that was swept
    differences = compare([runs[0], other]).differences
    assert differences.to_dict(orient="index") == {"pulse.amplitude": {"cold": "", "other": "0.9 V"}}


def test_rounding_of_units_is_no_difference(runs, analytic_surface, tmp_path):
    # 0.3 um and 300 nm are two floating point numbers a last digit apart.
    other = scenario(tmp_path / "other", analytic_surface)
    text = (other / "study.toml").read_text()
    width = next(line for line in text.splitlines() if line.startswith("width"))
    (other / "study.toml").write_text(text.replace(width, 'width = "0.3 um"'))
    (other / "sweep.json").unlink()
    assert load_study(other / "study.toml").cell.transistor.width != 3.0000000000000004e-07
    assert len(compare([runs[0], other]).differences) == 0


def test_results_are_what_the_surfaces_answer(runs, analytic_surface):
    comparison = compare(runs, ber=1e-5)
    assert comparison.results["direction"].tolist() == ["p_to_ap"] * 2 + ["ap_to_p"] * 2 + ["both"] * 2
    reliable = analytic_surface.cheapest_pulse("both", 1e-9, vary="duration")
    assert comparison.reference == reliable
    table = comparison.results.set_index(["direction", "scenario"])
    for target in ("p_to_ap", "ap_to_p", "both"):
        cold, hot = table.loc[(target, "cold")], table.loc[(target, "hot")]
        found = analytic_surface.cheapest_pulse(target, 1e-5)
        assert (cold["amplitude_V"], cold["duration_s"], cold["energy_J"]) == (
            found.amplitude_V, found.duration_s, found.energy_J,
        )  # fmt: skip
        # By construction of the second scenario; it needs a BER of 1e-4 of the first for 1e-5.
        assert hot["reference_ber"] == pytest.approx(0.1 * cold["reference_ber"])
        assert hot["energy_J"] == pytest.approx(
            0.5 * analytic_surface.cheapest_pulse(target, 1e-4).energy_J, rel=1e-6
        )
        # In the fixture the median device has the mean rate.
        assert hot["reference_median_device_ber"] == pytest.approx(hot["reference_ber"])
    devices = pd.read_parquet(runs[1] / "devices.parquet")
    assert table.loc[("both", "hot"), "median_thermal_stability"] == devices["thermal_stability"].median()


def test_reference_outside_a_scenarios_grid_is_empty(runs, analytic_surface, tmp_path):
    low = WriteSurface(analytic_surface.dataset.sel(amplitude=slice(None, 0.7)))
    results = compare([runs[0], scenario(tmp_path / "low", low)]).results.set_index(["direction", "scenario"])
    assert np.isnan(results.loc[("both", "low"), "reference_ber"])
    assert results.loc[("both", "low"), "energy_J"] > 0.0


def test_without_a_reliable_pulse_there_is_no_reference(runs, analytic_surface, tmp_path):
    short = WriteSurface(analytic_surface.dataset.sel(duration=slice(None, 5e-9)))
    comparison = compare([scenario(tmp_path / "short", short), runs[0]])
    assert comparison.reference is None
    assert comparison.results["reference_ber"].isna().all()


def test_out_of_reach_is_nan(runs):
    assert compare(runs, ber=1e-290).results["energy_J"].isna().all()


def test_surfaces_without_device_quantiles(runs, analytic_surface, tmp_path):
    counted = WriteSurface(analytic_surface.dataset.drop_vars(["ber_quantile", "quantile"]))
    table = compare([runs[0], scenario(tmp_path / "counted", counted)]).results.set_index("scenario")
    assert table.loc["counted", "reference_median_device_ber"].isna().all()
    assert table.loc["counted", "reference_ber"].notna().all()


def test_scenarios_of_one_name_are_told_apart(runs, tmp_path):
    shutil.copytree(runs[1], tmp_path / "key" / "cold")
    names = list(compare([runs[0], tmp_path / "key" / "cold"]).surfaces)
    assert names == [f"{runs[0].parent.name}/cold", "key/cold"]


def test_one_direction_has_no_pulse_for_both(analytic_surface, tmp_path):
    one = WriteSurface(analytic_surface.dataset.sel(direction=["p_to_ap"]))
    folders = [scenario(tmp_path / name, one, directions=["p_to_ap"]) for name in "ab"]
    assert compare(folders).results["direction"].tolist() == ["p_to_ap"] * 2
    assert len(plotting.comparison_figure(compare(folders), tmp_path)) == 2


def test_bad_requests(runs, analytic_surface, tmp_path):
    with pytest.raises(InputError, match=r"run directories: got \[\]; allowed: two or more"):
        compare([])
    with pytest.raises(InputError, match="two or more"):
        compare(runs[:1])
    with pytest.raises(InputError, match="each directory once"):
        compare([runs[0], runs[0].parent / "." / "cold"])
    with pytest.raises(InputError, match=r"no study\.toml"):
        compare([runs[0], tmp_path])
    with pytest.raises(InputError, match=r"ber: got 1\.5"):
        compare(runs, ber=1.5)
    bare = scenario(tmp_path / "bare", analytic_surface)
    (bare / "devices.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"devices: got '.*bare/devices\.parquet'"):
        compare([runs[0], bare])
    (bare / "surface.nc").unlink()
    with pytest.raises(InputError, match=r"bare/surface\.nc': it does not exist.*`mtjchar surface DIR`"):
        compare([runs[0], bare])


def test_runs_of_different_directions(runs, analytic_surface, tmp_path):
    one = WriteSurface(analytic_surface.dataset.sel(direction=["ap_to_p"]))
    other = scenario(tmp_path / "one", one, directions=["ap_to_p"])
    with pytest.raises(
        InputError, match=r"directions of .*one: got 'ap_to_p'; allowed: p_to_ap, ap_to_p, as in .*cold"
    ):
        compare([runs[0], other])


def test_energy_curves(runs):
    curves = energy_curves(compare(runs))
    assert curves.groupby(["scenario", "direction"]).ngroups == 6
    # A higher error rate never costs more.
    assert (curves.groupby(["scenario", "direction"])["energy_J"].diff().dropna() <= 1e-20).all()


def test_figure(runs, tmp_path):
    paths = plotting.comparison_figure(compare(runs), tmp_path)
    assert [path.name for path in paths] == ["comparison.png", "comparison.svg"]
    picture = matplotlib.image.imread(paths[0])
    assert picture.shape[1] > picture.shape[0] > 400
    assert picture[..., :3].std() > 0.05  # not an empty sheet
