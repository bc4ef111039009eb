"""The files of a run directory: study, devices and samples.

Every part of the samples has its own checksum in its name, so that changes of a file are detected.
Files are written under a temporary name, synced and renamed: a killed process leaves either
the old state or the new one.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtjchar.cells.transistor_netlist import TransistorSource, source_of
from mtjchar.errors import InputError
from mtjchar.files import (
    MOST_DATA,
    checksum,
    is_file,
    make_folder,
    read_bytes,
    read_text,
    sealed,
    storing,
    write_bytes,
    write_text,
)
from mtjchar.study import Study, load_study
from mtjchar.study.load import read_written
from mtjchar.sweep import growth
from mtjchar.sweep.part_folders import PART_FOLDERS, SAMPLES, PartFolder
from mtjchar.sweep.schemas import AGAIN, Record, check_devices, read_parquet, read_record

__all__ = ["MOST_FAILED", "REDONE", "RunDirectory", "StoredParts", "parquet_content", "stored_rows"]

MOST_FAILED = 0.01
"""Share of the devices that may fail at one pulse before a surface is refused."""

REDONE = ("timed_out", "crashed", "error")
"""Values of `STATUSES` that the machine may have caused: a resumed sweep repeats such samples."""

_PART = re.compile(r"(?P<name>[^.].*)\.(?P<digest>[0-9a-f]{16})\.parquet")


class StoredParts(NamedTuple):
    """Content of a run directory for a plan."""

    whole: dict[str, Path]  # parts by name
    discarded: list[str]  # damaged files that were removed, and the reasons
    outdated: list[str]  # files that were removed because they belong to no part of the plan
    versions: dict[str, str]  # of the programs that made the parts


@dataclass(frozen=True)
class RunDirectory:
    """A directory with the results of one study."""

    path: Path
    study: Study

    @classmethod
    def create(cls, path: Path, study: Study, devices: pd.DataFrame) -> RunDirectory:
        """Make the directory, or use the existing one if it belongs to the same study or to a smaller one.

        Raises
        ------
        InputError
            If it contains another study; the message names the keys that differ.
        StorageError
            If it cannot be written.
        """
        file = path / "study.toml"
        if file.exists():
            _refuse_other(file, study)
        text, table = study.to_toml(), parquet_content(devices, {})
        if read_written(text, str(file)) != study:
            raise InputError(
                str(file), value="a study that is another one after writing and reading",
                allowed="values within their limits", remedy="Check it with `Study.model_validate`.",
            )  # fmt: skip
        make_folder(path / "samples")
        record = {
            "study_sha256": checksum(text.encode()),
            "devices_sha256": checksum(table),
            "transistor_sha256": _transistor_digest(study),
        }
        if (source := _transistor_source(study)) is not None:
            record["transistor_read_sha256"] = source.digest
            make_folder(path / "transistor")
            if (model := _transistor_file(study)) is not None:
                write_bytes(path / "transistor" / model.name, _transistor_text(model))
            stem = "kit" if model is None else model.stem
            write_text(path / "transistor" / f"read-{stem}.lib", source.read + "\n")
            for osdi in _osdi(study):
                write_bytes(path / "transistor" / osdi.name, _osdi_content(osdi))
        # The study is written last: if it exists, so do the other files. Before them, that of a smaller run
        # is removed.
        file.unlink(missing_ok=True)
        write_bytes(path / "devices.parquet", table)
        write_text(path / "sweep.json", json.dumps(sealed(record), indent=1))
        write_text(file, text)
        return cls(path, study)

    @classmethod
    def stored_devices(cls, path: Path, study: Study) -> pd.DataFrame | None:
        """Return the devices of an existing run of this study in the directory; None if there is none.

        None also where the run is of a study that this one grows from (`mtjchar.sweep.growth`).

        Raises
        ------
        InputError
            If the directory contains another study; the message names the keys that differ.
        """
        file = path / "study.toml"
        if not file.exists():
            return None
        there = _refuse_other(file, study)
        directory = cls(path, there)
        try:
            devices, record = directory._all_devices(), directory.record()
        except InputError:
            return None
        source = _transistor_source(study)
        if record.transistor_read_sha256 is not None:
            changed = source is None or record.transistor_read_sha256 != source.digest
        else:  # of an earlier version, or without a file
            changed = record.transistor_sha256 not in (None, _transistor_digest(study))
        if changed:
            raise InputError(
                "cell.transistor.model" if source is None else source.name,
                value="a file that was changed since this sweep began, or one that it includes or loads",
                allowed=f"the content it had then: a copy is in {path / 'transistor'}",
                remedy="Restore it, or give another directory.",
            )
        return None if growth.in_words(there, study) else devices

    @staticmethod
    def growth(path: Path, study: Study) -> list[str]:
        """Say what a study has more of than the one whose run is there; empty where it is the same.

        Raises
        ------
        InputError
            If the directory holds another study, naming the keys that differ.
        """
        return growth.in_words(_refuse_other(path / "study.toml", study), study)

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """Open a directory that a sweep has made.

        Raises
        ------
        InputError
            If it contains no study, or a study to which its samples do not belong.
        """
        path = Path(path)
        if not is_file(path / "study.toml"):
            raise InputError(
                "run directory",
                value=str(path),
                allowed="a directory that `mtjchar sweep` or `mtjchar run` has made",
                remedy="There is no study.toml in it.",
            )
        study = load_study(path / "study.toml", written=True)
        directory = cls(path, study)
        if not _is_own(study, path / "study.toml", directory.record()):
            raise _other_than_samples(path / "study.toml")
        return directory

    def check_study_of(self, text: object, file: Path) -> None:
        """Refuse a file that was made for another study than the run's.

        Parameters
        ----------
        text : object
            The study's TOML in the file; a file without it is accepted.
        file : Path

        Raises
        ------
        InputError
            If it belongs to another study, or its text is not a study.
        """
        if text is None or text == self.study.to_toml():
            return
        if not isinstance(text, str) or read_written(text, f"{file}: attribute study") != self.study:
            raise InputError(
                str(file), value="a file of another study", allowed="one made of the samples beside it",
                remedy="Run `mtjchar surface` with this directory again.",
            )  # fmt: skip

    def record(self) -> Record:
        """Return the record of the sweep; an empty one if there is none.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        file = self.path / "sweep.json"
        if not file.exists():
            return Record()
        return read_record(read_text(file, "sweep.json", allowed="a file of JSON", remedy=AGAIN), file)

    def note(self, **words: Any) -> None:
        """Add to the record of the sweep.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        text = json.dumps(sealed({**self.record().model_dump(exclude_none=True), **words}), indent=1)
        write_text(self.path / "sweep.json", text)

    def digest_with(self, file: Path) -> str:
        """Return a digest of a file that was made from the samples, of the samples, and of mtjchar's version.

        Raises
        ------
        InputError
            If there is no such file.
        """
        content = read_bytes(file, file.name, allowed="a file made of the samples", most=MOST_DATA)
        folders = (self.path / of.name for of in PART_FOLDERS)
        parts = sorted(part.name for folder in folders for part in folder.glob("[!.]*.parquet"))
        return checksum("\n".join([checksum(content), version("mtjchar"), *parts]).encode())

    def devices(self) -> pd.DataFrame:
        """Return the table of the characterized devices.

        Raises
        ------
        InputError
            If it is missing, damaged or has not one row for each device.
        """
        return self._all_devices().head(self.record().devices_used or self.study.sweep.devices)

    def _all_devices(self) -> pd.DataFrame:
        file = self.path / "devices.parquet"
        content = read_bytes(file, "device table", allowed="a Parquet file", remedy=AGAIN, most=MOST_DATA)
        if self.record().devices_sha256 not in (None, checksum(content)):
            raise InputError(
                "devices",
                value=str(file),
                allowed="a whole Parquet file",
                remedy=f"Its checksum is wrong. {AGAIN}",
            )
        devices = read_parquet(content, file)
        check_devices(devices, file, self.study.sweep.devices, self.study.kind.device_columns)
        return devices

    def inspect_parts(self, expected: Collection[str], of: PartFolder = SAMPLES) -> StoredParts:
        """Check every part by its checksum, and remove files that are not complete parts of the plan.

        Parameters
        ----------
        expected : collection of str
            Names of the parts of the plan.
        of : PartFolder, optional

        Raises
        ------
        InputError
            If there are parts without checksums, of an earlier version of mtjchar.
        """
        whole: dict[str, Path] = {}
        discarded, outdated, versions = [], [], {}
        make_folder(self.path / of.name)
        for file in sorted((self.path / of.name).iterdir()):
            part = _PART.fullmatch(file.name)
            if file.is_dir() or (part is None and not file.name.startswith(".")):
                raise InputError(
                    of.name, value=str(file), allowed="parts with their checksum in the name",
                    remedy="An earlier version or another program has made it. Give another directory, or "
                    "remove it.",
                )  # fmt: skip
            why = ""
            if part is None:
                why = "was being written when its sweep ended"
            elif part["name"] not in expected or part["name"] in whole:
                outdated.append(str(file.relative_to(self.path)))
                with storing(file):
                    file.unlink()
            elif not (why := _flaw(file, of)):
                whole[part["name"]] = file
                versions.update(_versions(file))
            if why:
                with storing(file):
                    file.unlink()
                discarded.append(f"{file.relative_to(self.path)} {why}")
        return StoredParts(whole, discarded, outdated, versions)

    def write_part(
        self,
        name: str,
        samples: pd.DataFrame,
        versions: Mapping[str, str] | None = None,
        of: PartFolder = SAMPLES,
    ) -> Path:
        """Write a part completely or not at all.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        if "note" not in samples:
            samples = samples.assign(note="")
        if of is SAMPLES:
            known = (*of.columns, "standard_error", *self.study.kind.further_columns(self.study.tables))
            samples = samples[[name for name in known if name in samples]]
        content = parquet_content(samples, versions or {})
        file = self.path / of.name / f"{name}.{checksum(content)}.parquet"
        write_bytes(file, content)
        return file

    @staticmethod
    def read_part(file: Path, columns: list[str] | None = None, of: PartFolder = SAMPLES) -> pd.DataFrame:
        """Read a part, or some of its columns, after checking its checksum.

        Raises
        ------
        InputError
            If it is damaged, has no checksum, or contains no samples.
        """
        part = _PART.fullmatch(file.name)
        if part is None:
            raise InputError(
                "samples", value=str(file), allowed="parts with their checksum in the name",
                remedy="An earlier version has made it. Sweep in another directory.",
            )  # fmt: skip
        content = _content(file)
        if checksum(content) != part["digest"]:
            raise InputError(
                "samples", value=str(file), allowed="a whole Parquet file, with the checksum of its name",
                remedy="Run `mtjchar sweep` with this directory again, it redoes this part.",
            )  # fmt: skip
        samples = read_parquet(content, file, columns or of.columns, only_needed=columns is not None)
        of.check(samples, file)
        return samples

    def samples(self, of: PartFolder = SAMPLES) -> pd.DataFrame:
        """All existing samples, in the order device, direction, amplitude, duration; of reads likewise.

        Raises
        ------
        InputError
            If there are none, or one is damaged.
        """
        # A name that starts with a dot is an incomplete part of a killed process.
        parts = sorted((self.path / of.name).glob("[!.]*.parquet"))
        if not parts:
            raise InputError(
                of.name, value=str(self.path / of.name), allowed="Parquet parts of a sweep",
                remedy="Run `mtjchar sweep` with this directory first.",
            )  # fmt: skip
        table = pd.concat([self.read_part(part, of=of) for part in parts], ignore_index=True)
        return table.sort_values(list(of.order), kind="stable", ignore_index=True)


def stored_rows(path: Path) -> int:
    """Count the samples in the parts of a run directory by their own statement, without checking them."""
    count = 0
    for of in PART_FOLDERS:
        for file in (path / of.name).glob("[!.]*.parquet"):
            with contextlib.suppress(OSError, pa.ArrowException):  # damaged ones are found and redone later
                count += pq.read_metadata(file).num_rows
    return count


def _transistor_file(study: Study) -> Path | None:
    """File with the user's transistor; None if there is none."""
    transistor = study.kind.transistor(study.tables)
    return None if transistor is None else transistor.file


def _osdi(study: Study) -> list[Path]:
    """Compiled models that the user's transistor needs."""
    transistor = study.kind.transistor(study.tables)
    return [] if transistor is None else [Path(file) for file in transistor.osdi]


def _osdi_content(file: Path) -> bytes:
    return read_bytes(file, "cell.transistor.osdi", allowed="an OSDI library", most=MOST_DATA)


def _transistor_digest(study: Study) -> str:
    """Digest of the file with the user's transistor; empty if there is none."""
    file = _transistor_file(study)
    return "" if file is None else checksum(_transistor_text(file))


def _transistor_source(study: Study) -> TransistorSource | None:
    return source_of(study.kind.transistor(study.tables))


def _transistor_text(file: Path) -> bytes:
    return read_bytes(file, "cell.transistor.model", allowed="a SPICE file", most=MOST_DATA)


def parquet_content(table: pd.DataFrame, versions: Mapping[str, str]) -> bytes:
    """Return the content of a Parquet file, with the versions that made the table in its metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    words = json.dumps(dict(versions), sort_keys=True)
    arrow = arrow.replace_schema_metadata({**arrow.schema.metadata, b"mtjchar": words.encode()})
    sink = io.BytesIO()
    pq.write_table(arrow, sink)
    return sink.getvalue()


def _content(file: Path) -> bytes:
    return read_bytes(file, "samples", allowed="a part of the samples", remedy=AGAIN, most=MOST_DATA)


def _versions(file: Path) -> dict[str, str]:
    words = pq.read_schema(io.BytesIO(_content(file))).metadata[b"mtjchar"]
    return read_record(f'{{"versions": {words.decode()}}}', file).versions


def _flaw(file: Path, of: PartFolder) -> str:
    """Explain why a part has to be done again; empty if it has not."""
    try:
        statuses = RunDirectory.read_part(file, of=of)["status"]
        _versions(file)
    except (InputError, KeyError, TypeError, UnicodeDecodeError) as error:
        size = file.stat().st_size
        return (
            f"is damaged ({size} bytes with another checksum)"
            if "checksum" in str(error)
            else f"is no part: {error}"
        )
    again = int(statuses.isin(REDONE).sum())
    return f"has {again} samples that the machine may have failed with" if again else ""


def _is_own(study: Study, file: Path, record: Record) -> bool:
    """Whether a study belongs to the sweep of the record; earlier versions left no digest."""
    # As written, or with other comments and blanks.
    digests = (checksum(file.read_bytes()), checksum(study.to_toml().encode()))
    return record.study_sha256 in (None, *digests)


def _other_than_samples(file: Path) -> InputError:
    return InputError(
        str(file),
        value="a study that was changed after its sweep",
        allowed="the study that the samples beside it are of",
        remedy="Restore it, or sweep the changed study into another directory.",
    )


def _refuse_other(file: Path, asked: Study) -> Study:
    """Return the study of the run if it is the one asked for, or grows to it; refuse any other study.toml."""
    if not any((file.parent / name).exists() for name in ("devices.parquet", "sweep.json")):
        raise InputError(
            "run directory",
            value=str(file.parent),
            allowed="a new directory, or one that a sweep has made",
            remedy=f"{file} is a study of your own and would be overwritten: give another directory.",
        )
    there = load_study(file, written=True)
    record = Record()
    with contextlib.suppress(InputError):  # a damaged record is ignored and written again
        record = RunDirectory(file.parent, there).record()
    if not _is_own(there, file, record):
        raise _other_than_samples(file)
    before, now = (_flat(study.model_dump(mode="json")) for study in (there, asked))
    differ = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    refused = [key for key in differ if not growth.is_more(key, there, asked)]
    if refused:
        key, *others = dict.fromkeys(_or_its_table(key, before, now) for key in refused)
        may_be = growth.MAY_BE.get(key, "")
        also = f"Also different: {', '.join(others)}. " if others else ""
        value, allowed = now.get(key), f"{before.get(key)!r}{may_be}"
        if any(name.startswith(f"{key}.") for name in {**before, **now}):
            value, allowed = (
                f"{'a' if any(name.startswith(f'{key}.') for name in flat) else 'no'} table [{key}]"
                for flat in (now, before)
            )
        raise InputError(
            f"{file}: {key}",
            value=value,
            allowed=f"{allowed}, as in the study this directory belongs to",
            remedy=f"{also}Give another directory, or remove this one.",
        )
    return there


def _or_its_table(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return the largest table with the key that only one of two studies has, or the key."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        table = ".".join(parts[:length])
        if any(not any(name.startswith(f"{table}.") for name in flat) for flat in (before, now)):
            return table
    return key


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
