"""The files of a run directory: study, devices and samples."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtjchar.errors import InputError
from mtjchar.study import Study, load_study

SAMPLE_COLUMNS = (
    "device",
    "direction",
    "amplitude_V",
    "duration_s",
    "write_error_rate",
    "energy_J",
    "redundant_energy_J",
    "trials",
    "status",
    "reason",
)

_UNWEIGHTED = {"weight": 1.0, "replicate": 0}


@dataclass(frozen=True)
class RunDirectory:
    """A directory with the results of one study."""

    path: Path
    study: Study

    @classmethod
    def create(cls, path: Path, study: Study, devices: pd.DataFrame) -> RunDirectory:
        """Make the directory, or take the one there if it belongs to the same study.

        Raises
        ------
        InputError
            If it holds another study, naming the first key that differs, or cannot be written.
        """
        file = path / "study.toml"
        if file.exists():
            _refuse_other(file, load_study(file), study)
        try:
            (path / "samples").mkdir(parents=True, exist_ok=True)
            write_atomically(path / "devices.parquet", lambda part: devices.to_parquet(part, index=False))
            write_atomically(file, lambda part: part.write_text(study.to_toml(), encoding="utf-8"))
        except OSError as error:
            raise InputError(
                "run directory",
                value=str(path),
                allowed="a directory that can be written",
                remedy=f"{error.strerror}.",
            ) from error
        return cls(path, study)

    @classmethod
    def stored_devices(cls, path: Path, study: Study) -> pd.DataFrame | None:
        """Return the devices of a run of this study that is in the directory; None where there is none.

        Raises
        ------
        InputError
            If the directory holds another study, naming the first key that differs.
        """
        file = path / "study.toml"
        if not file.exists():
            return None
        _refuse_other(file, load_study(file), study)
        try:
            return cls(path, study).devices()
        except InputError:
            return None

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Open a directory that a sweep has made.

        Raises
        ------
        InputError
            If there is no study in it.
        """
        path = Path(path)
        if not (path / "study.toml").is_file():
            raise InputError(
                "run directory",
                value=str(path),
                allowed="a directory that `mtjchar sweep` or `mtjchar run` has made",
                remedy="There is no study.toml in it.",
            )
        return cls(path, load_study(path / "study.toml"))

    def devices(self) -> pd.DataFrame:
        """Return the table of sampled devices.

        Raises
        ------
        InputError
            If it is missing, cannot be read or has not one row for each device.
        """
        file = self.path / "devices.parquet"
        remedy = "Run `mtjchar sweep` with this directory again."
        try:
            devices = pd.read_parquet(file)
        except (OSError, ValueError) as error:
            raise InputError(
                "devices", value=str(file), allowed="a whole Parquet file", remedy=f"{remedy} ({error})"
            ) from error
        if devices.get("device", pd.Series(dtype=int)).tolist() != list(range(self.study.sweep.devices)):
            raise InputError(
                "devices", value=str(file), remedy=remedy,
                allowed=f"one row for each of the study's {self.study.sweep.devices} devices",
            )  # fmt: skip
        # Directories from before there were weights hold devices as they are distributed.
        return devices.assign(**{k: v for k, v in _UNWEIGHTED.items() if k not in devices})

    def has_part(self, name: str, rows: int) -> bool:
        """Whether the part with this name is there and whole."""
        try:
            return len(pd.read_parquet(self._part(name), columns=["status"])) == rows
        except (OSError, ValueError):  # missing; truncated (pyarrow.ArrowInvalid) or without the column
            return False

    def write_part(self, name: str, samples: pd.DataFrame) -> None:
        """Write a part whole or not at all."""
        table = samples[list(SAMPLE_COLUMNS)]
        write_atomically(self._part(name), lambda part: table.to_parquet(part, index=False))

    def samples(self) -> pd.DataFrame:
        """All samples that are there, in the order device, direction, amplitude, duration.

        Raises
        ------
        InputError
            If there are none, or one cannot be read.
        """
        # A name that starts with a dot is what a killed process left of a part it was writing.
        parts = sorted((self.path / "samples").glob("[!.]*.parquet"))
        if not parts:
            raise InputError(
                "samples", value=str(self.path / "samples"), allowed="Parquet parts of a sweep",
                remedy="Run `mtjchar sweep` with this directory first.",
            )  # fmt: skip
        # Parts from before the column was there were counted wherever there is no equation in m_z alone.
        missing = 0 if self.study.axially_symmetric else self.study.sweep.trials
        read = [_read_part(part) for part in parts]
        read = [part if "trials" in part else part.assign(trials=missing) for part in read]
        table = pd.concat(read, ignore_index=True)[list(SAMPLE_COLUMNS)]
        keys = ["device", "direction", "amplitude_V", "duration_s"]
        return table.sort_values(keys, kind="stable", ignore_index=True)

    def _part(self, name: str) -> Path:
        return self.path / "samples" / f"{name}.parquet"


def write_atomically(path: Path, write: Any) -> None:
    """Write a file under a temporary name, sync it and rename it: no half-written file is left.

    Parameters
    ----------
    path : Path
        Where the file shall be.
    write : callable
        Called with the temporary path.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_part(part: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(part)
    except (OSError, ValueError) as error:
        raise InputError(
            "samples", value=str(part), allowed="a whole Parquet file",
            remedy=f"Run `mtjchar sweep` with this directory again, it redoes this part. ({error})",
        ) from error  # fmt: skip


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse_other(file: Path, there: Study, asked: Study) -> None:
    before, now = (_flat(study.model_dump(mode="json")) for study in (there, asked))
    for key in {**before, **now}:
        if before.get(key) != now.get(key):
            raise InputError(
                f"{file}: {key}",
                value=now.get(key),
                allowed=f"{before.get(key)!r}, as in the study this directory belongs to",
                remedy="Give another directory, or remove this one.",
            )


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
