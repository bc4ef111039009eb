"""The export formats of a surface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mtjchar.errors import InputError, did_you_mean
from mtjchar.export import compact_model, ngspice_table, nvmain, nvsim, read_tables, tables, verilog_a
from mtjchar.export.files import Files
from mtjchar.export.operating_point import OPERATING_POINT, Settings, check_operating_point
from mtjchar.export.provenance import check_version
from mtjchar.export.read_tables import read_file
from mtjchar.files import write_together
from mtjchar.surfaces import ReadSurface, WriteSurface

__all__ = ["FORMATS", "Format", "export_surface"]


@dataclass(frozen=True)
class Format:
    """A format: how its files are written, the settings that it accepts, and files of reads beside them."""

    files: Callable[[WriteSurface, Path, Settings], Files]
    takes: frozenset[str] = frozenset()
    reads: Callable[[ReadSurface, Path], Files] | None = None


_CELL = OPERATING_POINT | {"feature_size", "cell_area"}
_GRID = frozenset({"amplitudes", "durations"})

FORMATS: dict[str, Format] = {
    "csv": Format(tables.csv, _GRID, read_tables.csv),
    "parquet": Format(tables.parquet, _GRID, read_tables.parquet),
    "json": Format(tables.json_, _GRID, read_tables.json_),
    "netcdf": Format(tables.netcdf, _GRID, read_tables.netcdf),
    "npz": Format(tables.npz, _GRID, read_tables.npz),
    "ber-matrix": Format(tables.ber_matrix, _GRID),
    "nvsim": Format(nvsim.nvsim, _CELL),
    "nvmexplorer": Format(nvsim.nvmexplorer, _CELL),
    "nvmain": Format(nvmain.nvmain, OPERATING_POINT | {"clock"}),
    "verilog-a": Format(verilog_a.self_contained),
    "verilog-a-table": Format(verilog_a.with_tables),
    "ngspice-table": Format(ngspice_table.ngspice_table),
    "verilog-a-model": Format(compact_model.verilog_a),
    "spice-model": Format(compact_model.pspice),
}
"""Formats by their names on the command line."""


def export_surface(
    surface: WriteSurface, format_: str, out: str | Path, settings: Settings | None = None
) -> list[Path]:
    """Write a surface in the format of another tool, completely or not at all.

    Parameters
    ----------
    surface : WriteSurface
    format_ : str
        One of `FORMATS`.
    out : str or Path
        File to write. Further files of a format are written beside it, with names made from its name.
    settings : Settings, optional
        Operating point, grid and other settings of the format, and the read surface. Table formats write
        the reads beside `out`, as NAME_read.ENDING.

    Returns
    -------
    list of Path
        Written files, `out` last.

    Raises
    ------
    InputError
        For an unknown format, a setting that the format does not accept, a missing operating point, or a
        surface of another version of mtjchar.
    StorageError
        If a file cannot be written; then none of them is.
    OutsideGridError, UnreachableError
        For an operating point or a grid that the surface does not have.
    """
    if format_ not in FORMATS:
        raise InputError(
            "format", value=format_, allowed=", ".join(FORMATS), remedy=did_you_mean(format_, FORMATS)
        )
    chosen, settings, out = FORMATS[format_], settings or Settings(), Path(out)
    for name, value in settings.given().items():
        if name not in chosen.takes:
            *takers, last = (other for other, candidate in FORMATS.items() if name in candidate.takes)
            option = f"--{name.replace('_', '-')}"
            listed = f"{', '.join(takers)} and {last}" if takers else last
            raise InputError(
                option, value=value, allowed=f"nothing with format {format_}",
                problem=f"{option} does not apply to {format_}; it is for {listed}.",
            )  # fmt: skip
    if chosen.takes >= OPERATING_POINT:
        check_operating_point(format_, settings)
    check_version(surface)
    files = chosen.files(surface, out, settings)
    if chosen.reads is not None and settings.reads is not None:
        files = {**chosen.reads(settings.reads, read_file(out)), **files}
    write_together(files)
    return list(files)
