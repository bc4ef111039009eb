"""The surface of a run directory, read by h5netcdf alone.

xarray and pandas take a second to load, and so does the comparison of the surface's study with that of the
run. Neither is needed if study and surface are unchanged since the surface was made. `sweep.json` has their
checksums, and a checksum of itself.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtjchar.errors import InputError
from mtjchar.files import MOST_DATA, checksum, read_bytes, read_text, sealed

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SurfaceFile", "unchanged_surface"]


class SurfaceFile:
    """Content of a ``surface.nc`` that mtjchar has written.

    Parameters
    ----------
    content : bytes
        It is not checked.

    Attributes
    ----------
    attrs : dict
        Attributes of the surface.
    """

    def __init__(self, content: bytes) -> None:
        import h5netcdf  # imported here: not needed for a dataset in memory

        self._content = content
        with h5netcdf.File(io.BytesIO(content), "r") as file:
            self.attrs: dict[str, Any] = dict(file.attrs)
            self._arrays = {name: _decoded(variable) for name, variable in file.variables.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._arrays[name]

    def dataset(self) -> xr.Dataset:
        """Return all of it."""
        import xarray as xr  # imported here: it takes half a second to load

        with xr.open_dataset(io.BytesIO(self._content), engine="h5netcdf") as dataset:
            return dataset.load()


def _decoded(variable: Any) -> npt.NDArray[Any]:
    """Values as xarray reads them: HDF5 has text as bytes, and truth values as integers."""
    values = np.asarray(variable[...])
    if values.dtype.kind == "O":
        return np.array([text.decode() for text in values.tolist()])
    return values.astype(bool) if variable.attrs.get("dtype") == "bool" else values


def unchanged_surface(folder: Path) -> SurfaceFile | None:
    """Return the surface of a run directory if the checksums show that it is unchanged.

    Returns
    -------
    SurfaceFile or None
        None if a checksum differs or anything is missing: the surface must then be checked.
    """
    try:
        record = json.loads(read_text(folder / "sweep.json", "sweep.json", allowed="a file of JSON"))
        if sealed(record) != record:
            return None
        kept = record["study_sha256"], record["surface_file_sha256"]
        study = read_bytes(folder / "study.toml", "study file", allowed="a study")
        surface = read_bytes(folder / "surface.nc", "surface file", allowed="a surface.nc", most=MOST_DATA)
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return SurfaceFile(surface) if kept == (checksum(study), checksum(surface)) else None
