"""Samples that could not be computed: their counts, and decks to inspect them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.cells.base import Direction
from mtjchar.errors import printable
from mtjchar.files import make_folder, write_text
from mtjchar.study import Study
from mtjchar.sweep.store import MOST_FAILED, RunDirectory

__all__ = ["Tally", "count_failed", "deck", "keep_decks", "share_to_allow", "worst_share"]

_MOST_DECKS = 100


def count_failed(samples: pd.DataFrame, weight: npt.ArrayLike = 1.0) -> pd.DataFrame:
    """Count samples and those that failed, at each direction and amplitude.

    Parameters
    ----------
    samples : DataFrame
        Columns ``direction``, ``amplitude_V`` and ``status``.
    weight : array_like, optional
        Weight of each sample in the count, shape (samples,) or a number.

    Returns
    -------
    DataFrame
        Columns ``failed`` and ``samples``, indexed by direction and amplitude (V). The results of several
        tables
        can be added.
    """
    failed = samples["status"].to_numpy() != "ok"
    counts = samples[["direction", "amplitude_V"]].assign(
        failed=np.where(failed, weight, 0.0), samples=np.asarray(weight, dtype=np.float64)
    )
    return counts.groupby(["direction", "amplitude_V"]).sum()


def worst_share(counts: pd.DataFrame) -> float:
    """Return the largest share of failed samples at one direction and amplitude, from `count_failed`."""
    return float((counts["failed"] / counts["samples"]).max()) if len(counts) else 0.0


def share_to_allow(share: float) -> float:
    """Round a share of failed samples up to whole per cents; ``--allow-failed`` accepts it if below 1."""
    return float(np.ceil(100.0 * share) / 100.0)


class Tally:
    """Counts of samples by their status."""

    def __init__(self) -> None:
        self.status: Counter[str] = Counter()
        self._counts = count_failed(pd.DataFrame(columns=["direction", "amplitude_V", "status"]))
        self._first = ""

    def add(self, samples: pd.DataFrame) -> None:
        """Add samples; of their columns direction, amplitude_V, status and reason are used."""
        self.status.update(samples["status"].to_numpy(dtype=object).tolist())
        self._counts = count_failed(samples).add(self._counts, fill_value=0.0)
        failed = samples[samples["status"] != "ok"].sort_values(["direction", "amplitude_V"], kind="stable")
        if not self._first and len(failed):
            self._first = str(failed["reason"].iloc[0])

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.status.total()

    @property
    def failed(self) -> int:
        """Number of samples without numbers."""
        return self.samples - self.status["ok"]

    @property
    def worst_share(self) -> float:
        """Largest share of failed samples at one direction and amplitude."""
        return worst_share(self._counts)

    def words(self) -> str:
        """Describe the failures; empty if there are none."""
        if not self.failed:
            return ""
        kinds = ", ".join(
            f"{count} {status}" for status, count in sorted(self.status.items()) if status != "ok"
        )
        first = self._first.splitlines()[0]
        words = (
            f"{self.failed} of {self.samples} samples failed ({kinds}), up to {self.worst_share:.2%} at one "
            f"amplitude; the first: {first}"
        )
        if self.worst_share > MOST_FAILED:
            words += f". That is more than {MOST_FAILED:.0%}: no surface is made of it"
            if (allowed := share_to_allow(self.worst_share)) < 1.0:
                words += f", unless `mtjchar surface DIR --allow-failed {allowed:g}` asks for one"
        return words


def keep_decks(directory: RunDirectory, samples: pd.DataFrame, devices: pd.DataFrame) -> None:
    """Write a deck that runs by hand for every device that failed in ngspice, up to a hundred in all.

    Each is ``failures/DIRECTION-DEVICE.cir``; its header has the reasons, including ngspice's own words.

    Parameters
    ----------
    directory : RunDirectory
    samples : DataFrame
        Of a part.
    devices : DataFrame
        Of the whole sweep.
    """
    # Devices outside the range of the models were not simulated in ngspice.
    simulated = samples["reason"].str.startswith("ngspice") | samples["status"].isin(("crashed", "timed_out"))
    failed = samples[(samples["status"] != "ok") & simulated]
    folder = directory.path / "failures"
    if failed.empty:
        return
    direction: Direction = failed["direction"].iloc[0]
    for device in np.unique(failed["device"]):
        kept = len(list(folder.glob("*.cir"))) if folder.is_dir() else 0
        if kept >= _MOST_DECKS:
            return
        rows = failed[failed["device"] == device]
        text = deck(directory.study, devices.iloc[[int(device)]], direction, rows)
        if text is None:
            return
        make_folder(folder)
        write_text(folder / f"{direction}-{device:07d}.cir", text)


def deck(study: Study, device: pd.DataFrame, direction: Direction, failed: pd.DataFrame) -> str | None:
    """Write a deck with the cell of one device and the analyses that failed, for ``ngspice -b``."""
    amplitudes = np.unique(failed["amplitude_V"])
    made = study.kind.deck(study.tables, device, direction, study.pulses.at(amplitudes))
    if made is None:
        return None
    (title, *lines), commands = made
    first = int(device["device"].iloc[0])
    volts = ", ".join(f"{amplitude:.6g}" for amplitude in amplitudes)
    head = [f"* {direction}, device {first}, amplitudes in V: {volts}"]
    for (status, reason), _ in failed.groupby(["status", "reason"], sort=False):
        head += [f"* {status}: {printable(line)}" for line in str(reason).splitlines()]
    transistor = study.kind.transistor(study.tables)
    for variable in () if transistor is None else transistor.variables:
        head.append(f"* needs this line in .spiceinit: {variable}")
    control = [".control", "set num_threads=1", *commands, "quit", ".endc"]
    return "\n".join([title, *head, *lines[:-1], *control, lines[-1], ""])
