"""Combinations of forms, drawn at random: a table is read as it was made or refused, never misread."""

import random

import numpy as np
import pytest

from mtjchar.errors import InputError
from mtjchar.stackfit import read_table

WORDS = [("p_to_ap", "ap_to_p"), ("P->AP", "AP->P"), ("P→AP", "AP→P"), ("PtoAP", "APtoP")]
UNITS = [
    lambda name, unit: f"{name}_{unit}",
    lambda name, unit: f"{name.capitalize()} ({unit})",
    lambda name, unit: f"{name.capitalize()} [{unit}]",
]
# Name, and the text of an outcome from the writes and those that switched.
OUTCOMES = [
    ("switched", lambda _, switched: switched),
    ("failures", lambda trials, switched: trials - switched),
    ("probability", lambda trials, switched: switched / trials),
    ("WER (%)", lambda trials, switched: 100.0 - 100.0 * switched / trials),
    ("-log10(WER)", lambda trials, switched: -np.log10(1.0 - switched / trials)),
]
COLUMNS = [("amplitude_V", 1, 1.0), ("duration_s", 2, 1e-9), ("trials", 3, 1.0), ("switched", 4, 1.0)]
ABOVE = [[], ["Lot A7"], ["Lot A7, wafer 3", "Date: 2024-01-01", ""], ["[DATA]"], ["# by hand"]]
BELOW = [[], ["[END]"], ["", "end of file"], [""]]


def drawn(rng):
    """Lines of a table, and its rows: direction, amplitude, duration, trials, switched."""
    rows = [
        (rng.randrange(2), round(rng.uniform(0.3, 2.0), rng.randint(1, 4)), rng.choice([1, 5, 20.5, 1000]),
         trials := rng.choice([100, 1000, 12345, 1000000]), rng.randrange(trials))
        for _ in range(rng.choice([1, 2, 3, 8]))
    ]  # fmt: skip
    separator = rng.choice([",", ";", "\t", " ", "   ", "|"])
    point = "." if separator in ",|" else rng.choice(".,")
    thousands = rng.choice(["", "'", ",", "."])
    if thousands == point or (thousands == "," and separator == ","):
        thousands = ""
    words, (outcome, of) = rng.choice(WORDS), rng.choice(OUTCOMES)
    volt, second = rng.choice([("V", 1.0), ("mV", 1e3)]), rng.choice([("ns", 1.0), ("µs", 1e-3), ("s", 1e-9)])

    def text(value):
        if isinstance(value, int):
            return f"{value:,}".replace(",", thousands)
        return f"{value:.12g}".replace(".", point)

    how = rng.choice([*UNITS, "row", "comment", "cells"])
    if separator.isspace() and separator != "\t" and how == "cells":
        how = "row"
    quantities = (("amplitude", volt[0]), ("duration", second[0]))
    names = [how(name, unit) if callable(how) else name for name, unit in quantities]
    behind = [volt[0], second[0]] if how == "cells" else ["", ""]
    lines = [rng.choice(["", "# ", "#", "! "]) + separator.join(["direction", *names, "trials", outcome])]
    if how in ("row", "comment"):
        lines += [("# " if how == "comment" else "") + separator.join(["-", volt[0], second[0], "-", "-"])]
    lines += [
        separator.join([
            words[way], text(volt[1] * amplitude) + behind[0], text(second[1] * duration) + behind[1],
            text(trials), text(of(trials, switched)),
        ])
        for way, amplitude, duration, trials, switched in rows
    ]  # fmt: skip
    if rng.random() < 0.2 and not separator.isspace():
        lines = [line + separator for line in lines]
    return [*rng.choice(ABOVE), *lines, *rng.choice(BELOW)], rows


@pytest.mark.parametrize("seed", range(4))
def test_no_combination_is_misread(tmp_path, seed):
    rng, path, refused = random.Random(seed), tmp_path / "data.csv", 0
    for _ in range(100):
        lines, rows = drawn(rng)
        path.write_bytes(
            rng.choice(["\n", "\r\n"]).join([*lines, ""]).encode(rng.choice(["utf-8", "utf-16"]))
        )
        try:
            found = read_table(path).rows
        except InputError:
            refused += 1
            continue
        told = "\n".join(lines)
        assert found["direction"].to_list() == [("p_to_ap", "ap_to_p")[row[0]] for row in rows], told
        for name, place, size in COLUMNS:
            expected = [size * row[place] for row in rows]
            np.testing.assert_allclose(found[name].astype(float), expected, rtol=1e-9, err_msg=told)
    # Tables with few numbers do not always show what a comma or point means; regression.
    assert refused <= 4
