"""Tables of the demo's study, small: writes tests/reference/demo_*.csv anew.

    .venv/bin/python -m scripts.verification.demo_tables

They are no truth but a memory: the numbers of version 0.1.0 on the command line, every digit of them. Moving
code must not change one. Where a number has to change for a reason, the reason belongs beside the new table.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import tomli_w
import xarray as xr

from mtjchar.stackfit import Film, pulses_at, simulate_counts
from mtjchar.study import load_stack

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/reference"
_SHOWN_DEVICES = 4  # in the tables; the surface is that of all


def tables() -> dict[str, pd.DataFrame]:
    """Return the tables by the names of their files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        computed = _run(folder, "computed", supply_voltage="1.3 V")
        counted = _run(folder, "counted", external_field={"x": "20 mT"})
        surface = xr.open_dataset(computed / "surface.nc", engine="h5netcdf").load()
        quantiles = surface["ber_quantile"].to_dataset(dim="quantile")
        quantiles = quantiles.rename({one: f"quantile_{one:g}" for one in list(quantiles.data_vars)})
        return {
            "demo_devices": _devices(computed),
            "demo_samples": _samples(computed),
            "demo_counted": _samples(counted),
            "demo_surface": xr.merge([surface.drop_dims("quantile"), quantiles]).to_dataframe().reset_index(),
            "demo_fit": _fit(folder),
        }


def _run(folder: Path, name: str, **cell: object) -> Path:
    data = tomllib.loads((ROOT / "data/studies/demo.toml").read_text(encoding="utf-8"))
    del data["read"]
    data["stack"] = str(ROOT / "data/stacks/ikeda2010.toml")
    data["cell"] |= cell
    data["sweep"]["amplitude"]["points"], data["sweep"]["duration"]["points"] = 3, 4
    data["sweep"] |= {"devices": 64 if name == "computed" else 2, "trials": 50}
    study = folder / f"{name}.toml"
    study.write_text(tomli_w.dumps(data), encoding="utf-8")
    _mtjchar("sweep", study, "--out", folder / name)
    _mtjchar("surface", folder / name)
    return folder / name


def _fit(folder: Path) -> pd.DataFrame:
    """Fitted parameters with their errors, from the fitted stack file."""
    stack = ROOT / "tests/reference/per_current.toml"
    film = Film(load_stack(stack), 40e-9)
    pulses = pulses_at(film, [2e-9, 2e-8, 1e-6], [0.2, 0.8])
    counts = simulate_counts(film, pulses, np.random.default_rng(1), trials=2000)
    counts.to_csv(folder / "counts.csv", index=False)
    out = folder / "fitted.toml"
    _mtjchar("fit", folder / "counts.csv", "--stack", stack, "--diameter", "40 nm", "--out", out)
    fit = tomllib.loads(out.read_text(encoding="utf-8"))["fit"]
    covariance = pd.DataFrame(fit["covariance"], columns=[f"covariance_{one}" for one in fit["parameters"]])
    return pd.DataFrame({"parameter": fit["parameters"], "value": fit["values"]}).join(covariance)


def _devices(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "devices.parquet").head(_SHOWN_DEVICES)


def _samples(run: Path) -> pd.DataFrame:
    parts = pd.concat([pd.read_parquet(part) for part in (run / "samples").glob("*.parquet")])
    keys = ["device", "direction", "amplitude_V", "duration_s"]
    rows = parts.sort_values(keys, ignore_index=True)
    return rows[rows["device"] < _SHOWN_DEVICES]


def _mtjchar(*arguments: object) -> None:
    command = [sys.executable, "-m", "mtjchar.cli", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)


def main() -> None:
    """Write the tables."""
    for name, table in tables().items():
        table.to_csv(FOLDER / f"{name}.csv", index=False, lineterminator="\n")
        print(FOLDER / f"{name}.csv")


if __name__ == "__main__":
    main()
