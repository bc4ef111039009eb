"""The files of a run directory: study, devices and samples.

Every part of the samples carries its own checksum in its name, so that a file is either what was written or
known not to be. Files are written under a temporary name, synced and renamed: a process that is killed leaves
the old state or the new one.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtjchar.errors import InputError
from mtjchar.files import make_folder, write_bytes, write_text
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
    "note",
)
SUPPLY_COLUMNS = ("supply_energy_J", "redundant_supply_energy_J")
"""Further columns of the samples of a study with `supply_voltage`."""

MOST_FAILED = 0.01
"""Share of the devices that may fail at one pulse before a surface is refused."""

STATUSES = ("ok", "failed", "not_converged", "cut", "timed_out", "crashed")
"""What a sample may say of itself; only ``ok`` comes with numbers."""

_PART = re.compile(r"(?P<name>[^.].*)\.(?P<digest>[0-9a-f]{16})\.parquet")


class Stock(NamedTuple):
    """What a run directory holds of a plan."""

    whole: dict[str, Path]  # parts by name
    discarded: list[str]  # what was removed, and why
    versions: dict[str, str]  # of the programs that made the parts


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
            If it holds another study, naming the first key that differs.
        StorageError
            If it cannot be written.
        """
        file = path / "study.toml"
        if file.exists():
            _refuse_other(file, study)
        make_folder(path / "samples")
        text, table = study.to_toml(), _parquet(devices, {})
        record = {
            "study_sha256": _digest(text.encode()),
            "devices_sha256": _digest(table),
            "transistor_sha256": _transistor(study),
        }
        # The study last: where it is, the others are.
        write_bytes(path / "devices.parquet", table)
        write_text(path / "sweep.json", json.dumps(record, indent=1))
        write_text(file, text)
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
        _refuse_other(file, study)
        directory = cls(path, study)
        before = directory.record().get("transistor_sha256")
        if before is not None and before != _transistor(study):
            raise InputError(
                f"{study.cell.transistor.model}",
                value="a file that was changed since this sweep began",
                allowed="the content it had then",
                remedy="Restore it, or give another directory.",
            )
        try:
            return directory._all_devices()
        except InputError:
            return None

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Open a directory that a sweep has made.

        Raises
        ------
        InputError
            If there is no study in it, or another one than its samples are of.
        """
        path = Path(path)
        if not (path / "study.toml").is_file():
            raise InputError(
                "run directory",
                value=str(path),
                allowed="a directory that `mtjchar sweep` or `mtjchar run` has made",
                remedy="There is no study.toml in it.",
            )
        return cls(path, _own_study(path / "study.toml"))

    def record(self) -> dict[str, Any]:
        """Return what the sweep notes of itself; empty where it has not."""
        try:
            return dict(json.loads((self.path / "sweep.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def note(self, **words: Any) -> None:
        """Add to what the sweep notes of itself.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        text = json.dumps({**self.record(), **words}, indent=1)
        write_text(self.path / "sweep.json", text)

    def devices(self) -> pd.DataFrame:
        """Return the table of the devices that were characterized.

        Raises
        ------
        InputError
            If it is missing, damaged or has not one row for each device.
        """
        return self._all_devices().head(self.record().get("devices_used", self.study.sweep.devices))

    def _all_devices(self) -> pd.DataFrame:
        file = self.path / "devices.parquet"
        remedy = "Run `mtjchar sweep` with this directory again."
        try:
            content = file.read_bytes()
            if self.record().get("devices_sha256", _digest(content)) != _digest(content):
                raise ValueError("its checksum is wrong")
            devices = pd.read_parquet(io.BytesIO(content))
        except (OSError, ValueError) as error:
            raise InputError(
                "devices", value=str(file), allowed="a whole Parquet file", remedy=f"{remedy} ({error})"
            ) from error
        if devices.get("device", pd.Series(dtype=int)).tolist() != list(range(self.study.sweep.devices)):
            raise InputError(
                "devices", value=str(file), remedy=remedy,
                allowed=f"one row for each of the study's {self.study.sweep.devices} devices",
            )  # fmt: skip
        return devices

    def take_stock(self, expected: Collection[str]) -> Stock:
        """Check every part by its checksum, and remove what is no whole part of the plan.

        Parameters
        ----------
        expected : collection of str
            Names of the parts of the plan.

        Raises
        ------
        InputError
            If there are parts without checksums, of an earlier version of mtjchar.
        """
        whole: dict[str, Path] = {}
        discarded, versions = [], {}
        for file in sorted((self.path / "samples").iterdir()):
            why = None
            if file.name.startswith("."):
                why = "was being written when its sweep ended"
            elif (part := _PART.fullmatch(file.name)) is None:
                raise InputError(
                    "samples", value=str(file), allowed="parts with their checksum in the name",
                    remedy="An earlier version has made it. Give another directory, or remove samples/.",
                )  # fmt: skip
            else:
                content = file.read_bytes()
                if _digest(content) != part["digest"]:
                    why = f"is damaged ({len(content)} bytes with another checksum)"
                elif part["name"] not in expected or part["name"] in whole:
                    why = "does not belong to this sweep"
                else:
                    whole[part["name"]] = file
                    versions.update(_versions(content))
            if why is not None:
                file.unlink()
                discarded.append(f"{file.relative_to(self.path)} {why}")
        return Stock(whole, discarded, versions)

    def write_part(self, name: str, samples: pd.DataFrame, versions: Mapping[str, str] | None = None) -> Path:
        """Write a part whole or not at all.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        if "note" not in samples:
            samples = samples.assign(note="")
        known = (*SAMPLE_COLUMNS, *SUPPLY_COLUMNS)
        content = _parquet(samples[[name for name in known if name in samples]], versions or {})
        file = self.path / "samples" / f"{name}.{_digest(content)}.parquet"
        write_bytes(file, content)
        return file

    @staticmethod
    def read_part(file: Path, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a part, or some of its columns, after checking its checksum.

        Raises
        ------
        InputError
            If it is damaged, or has no checksum.
        """
        part = _PART.fullmatch(file.name)
        if part is None:
            raise InputError(
                "samples", value=str(file), allowed="parts with their checksum in the name",
                remedy="An earlier version has made it. Sweep in another directory.",
            )  # fmt: skip
        content = file.read_bytes()
        if _digest(content) != part["digest"]:
            raise InputError(
                "samples", value=str(file), allowed="a whole Parquet file, with the checksum of its name",
                remedy="Run `mtjchar sweep` with this directory again, it redoes this part.",
            )  # fmt: skip
        return pd.read_parquet(io.BytesIO(content), columns=columns)

    def samples(self) -> pd.DataFrame:
        """All samples that are there, in the order device, direction, amplitude, duration.

        Raises
        ------
        InputError
            If there are none, or one is damaged.
        """
        # A name that starts with a dot is what a killed process left of a part it was writing.
        parts = sorted((self.path / "samples").glob("[!.]*.parquet"))
        if not parts:
            raise InputError(
                "samples", value=str(self.path / "samples"), allowed="Parquet parts of a sweep",
                remedy="Run `mtjchar sweep` with this directory first.",
            )  # fmt: skip
        table = pd.concat([self.read_part(part) for part in parts], ignore_index=True)
        keys = ["device", "direction", "amplitude_V", "duration_s"]
        return table.sort_values(keys, kind="stable", ignore_index=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _transistor(study: Study) -> str:
    """Digest of the file with the user's transistor; empty where there is none."""
    model = study.cell.transistor.model
    return "" if model in ("ideal", "generic") else _digest(Path(model).read_bytes())


def _parquet(table: pd.DataFrame, versions: Mapping[str, str]) -> bytes:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    words = json.dumps(dict(versions), sort_keys=True)
    arrow = arrow.replace_schema_metadata({**arrow.schema.metadata, b"mtjchar": words.encode()})
    sink = io.BytesIO()
    pq.write_table(arrow, sink)
    return sink.getvalue()


def _versions(content: bytes) -> dict[str, str]:
    return dict(json.loads(pq.read_schema(io.BytesIO(content)).metadata[b"mtjchar"]))


def _own_study(file: Path) -> Study:
    """Read the study of a run; refuse one that was changed since its sweep."""
    study = load_study(file, written=True)
    before = RunDirectory(file.parent, study).record().get("study_sha256")
    # As it was written, or with other comments and blanks; runs of earlier versions have no record.
    if before not in (None, _digest(file.read_bytes()), _digest(study.to_toml().encode())):
        raise InputError(
            str(file),
            value="a study that was changed after its sweep",
            allowed="the study that the samples beside it are of",
            remedy="Restore it, or sweep the changed study into another directory.",
        )
    return study


def _refuse_other(file: Path, asked: Study) -> None:
    """Refuse a study.toml that no sweep has written, or that is of another study."""
    if not any((file.parent / name).exists() for name in ("devices.parquet", "sweep.json")):
        raise InputError(
            "run directory",
            value=str(file.parent),
            allowed="a new directory, or one that a sweep has made",
            remedy=f"{file} is a study of your own and would be overwritten: give another directory.",
        )
    there = _own_study(file)
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
