"""Fixtures that several test modules use."""

import sys
from importlib.metadata import version

import numpy as np
import pytest
import xarray as xr
from common import DEMO, InPlace
from read_cases import DividerCell, study_of

from mtjchar.cells import KINDS
from mtjchar.cli import main
from mtjchar.surfaces import ReadSurface, WriteSurface, average_devices, average_reads
from mtjchar.sweep.run import run_sweep


def analytic_log_rate(direction, amplitude, duration):
    """log10 of a made-up error rate with the shape of real ones: exp(-rate (t - t0)), rate ~ overdrive."""
    rate = (1.0 if direction == "p_to_ap" else 1.2) * (amplitude - 0.3) * 2.5e9
    x = rate * (duration - 0.4e-9)
    return -np.log10(np.e) * np.log1p(np.exp(2.0 * (x - 2.0))) / 2.0


def analytic_energy(direction, amplitude, duration, switching):
    """Energy of a fixed resistance, J."""
    resistance = {"p_to_ap": 5e3, "ap_to_p": 7e3}[direction] * (1.0 if switching else 1.1)
    return amplitude**2 / resistance * duration


@pytest.fixture(scope="session")
def analytic_surface():
    """A surface whose values between the grid points are known."""
    directions = ["p_to_ap", "ap_to_p"]
    amplitude, duration = np.linspace(0.4, 1.2, 12), np.geomspace(1e-9, 60e-9, 25)
    grid = amplitude[:, None], duration[None, :]
    rate = np.stack([10.0 ** analytic_log_rate(one, *grid) for one in directions])
    energy, redundant = (
        np.stack([analytic_energy(one, *grid, kind) for one in directions]) for kind in (True, False)
    )
    dims = ("direction", "amplitude", "duration")
    return WriteSurface(
        xr.Dataset(
            {
                "ber": (dims, rate),
                "ber_lower": (dims, rate / 2.0),
                "ber_upper": (dims, np.minimum(rate * 2.0, 1.0)),
                "ber_quantile": ((*dims, "quantile"), np.stack([rate / 4.0, rate], axis=-1)),
                "effective_devices": (dims, np.full_like(rate, 200.0)),
                "energy": (dims, energy),
                "redundant_energy": (dims, redundant),
            },
            coords={
                "direction": directions,
                "amplitude": amplitude,
                "duration": duration,
                "quantile": [0.05, 0.5],
            },
            attrs={"nominal_amplitude_V": 0.8, "seed": 1},
        )
    )


@pytest.fixture(scope="session")
def characterized_surface(analytic_surface):
    """The analytic surface with units and provenance, as `average_devices` has them, for the demo study."""
    dataset = analytic_surface.dataset.assign_attrs(
        study=DEMO.to_toml(),
        devices=256,
        interval="95 %, made up",
        mtjchar_version=version("mtjchar"),
    )
    for name, unit in {"amplitude": "V", "duration": "s", "energy": "J", "redundant_energy": "J"}.items():
        dataset[name].attrs["units"] = unit
    dataset["ber"].attrs["long_name"] = "write error rate, mean over devices"
    return WriteSurface(dataset)


@pytest.fixture(scope="module")
def divider():
    """Register the kind of cell of `read_cases`."""
    KINDS["divider"] = DividerCell()
    yield KINDS["divider"]
    del KINDS["divider"]


@pytest.fixture(scope="module")
def divider_run(divider, tmp_path_factory):
    """A finished run of 1,000 such devices, with surfaces."""
    folder = tmp_path_factory.mktemp("divider")
    study = study_of(folder)
    assert study.kind is divider
    path = run_sweep(study, folder / "run", executor=InPlace())
    average_devices(path)
    average_reads(path)
    return path


@pytest.fixture(scope="module")
def divider_reads(divider_run):
    return ReadSurface.of_run(divider_run)


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line in this process: exit code, output, errors; a traceback is never among them."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mtjchar", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call
