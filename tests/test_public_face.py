"""What somebody finds who types `mtjchar.` and presses Tab."""

import importlib
import inspect
import pkgutil

import numpy as np
import pandas as pd
import pytest
from common import DEMO, InPlace

import mtjchar
from mtjchar.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    small = DEMO.with_(sweep={"devices": 2, "amplitude": {"points": 2}, "duration": {"points": 3}})
    path = tmp_path_factory.mktemp("face") / "run"
    mtjchar.run_sweep(small, path, executor=InPlace())
    mtjchar.average_devices(path)
    return path


def test_every_name_is_there_and_says_what_it_is():
    for name in dir(mtjchar):
        assert inspect.getdoc(getattr(mtjchar, name)), name


def test_run_sweep_is_a_function_with_a_signature():
    assert inspect.isfunction(mtjchar.run_sweep)
    assert list(inspect.signature(mtjchar.run_sweep).parameters)[:2] == ["study", "out"]


def test_old_call_works_and_says_what_is_to_be_called(folder):
    with pytest.warns(DeprecationWarning, match=r"mtjchar\.run_sweep"):
        assert mtjchar.sweep(mtjchar.Run(folder).study, folder, executor=InPlace()) == folder


def test_run_opens_what_is_in_the_directory(folder):
    run = mtjchar.Run(folder)
    assert len(run.devices) == 2
    assert len(run.samples) == 2 * 2 * 2 * 3
    assert run.study.sweep.devices == 2
    assert run.surface.directions == run.study.kind.directions
    assert np.isfinite(run.surface.ber("p_to_ap", 0.8, 10e-9))
    assert run.tradeoffs == {}
    assert repr(run) == f"Run({str(folder)!r})"


def test_run_says_what_is_missing(folder, tmp_path):
    with pytest.raises(InputError, match="mtjchar sweep"):
        mtjchar.Run(tmp_path)
    swept = tmp_path / "swept"
    mtjchar.run_sweep(mtjchar.Run(folder).study, swept, executor=InPlace())
    with pytest.raises(InputError, match="mtjchar surface"):
        _ = mtjchar.Run(swept).surface


def test_tradeoffs_are_found_by_their_directory(folder):
    inner = folder / "trade"
    inner.mkdir()
    row = {
        "lever": "reliable", "code": "two's complement", "bits": 8, "ber": 0.01, "amplitude_V": 0.8,
        "duration_s": 1e-8, "programming_energy_J": 1e-6, "energy_saved_fraction": 0.5, "accuracy_mean": 0.8,
        "accuracy_drop_points": 0.5, "accuracy_drop_ci95": 0.1, "seeds": 5, "confirmed": True,
        "extrapolated": False,
    }  # fmt: skip
    pd.DataFrame([row]).to_csv(inner / "tradeoff.csv", index=False)
    assert list(mtjchar.Run(folder).tradeoffs) == ["trade"]


def test_public_modules_name_what_is_public():
    unnamed = [
        name
        for _, name, is_package in pkgutil.walk_packages(mtjchar.__path__, "mtjchar.")
        if not any(part.startswith("_") for part in name.split(".")[1:])
        and not name.startswith("mtjchar.cli")
        and not is_package
        and not hasattr(importlib.import_module(name), "__all__")
    ]
    assert unnamed == []


def test_all_names_exist():
    for _, name, _ in pkgutil.walk_packages(mtjchar.__path__, "mtjchar."):
        if not name.endswith("__main__"):
            module = importlib.import_module(name)
            missing = [one for one in getattr(module, "__all__", []) if not _has(module, one)]
            assert missing == [], name


def _has(module, name):
    if hasattr(module, name):
        return True
    return importlib.util.find_spec(f"{module.__name__}.{name}") is not None


@pytest.mark.parametrize("name", ["DIRECTIONS", "Variability"])
def test_old_names_of_the_study_work_and_say_where_they_are(name):
    with pytest.warns(DeprecationWarning, match=r"mtjchar\.cells\.stt\.tables"):
        assert getattr(mtjchar.study, name)
