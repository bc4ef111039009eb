"""A table of pulses, its lines in a text, and what reading a file of it should give."""

import numpy as np
import pandas as pd

from mtjchar.stackfit import read_tables

# What all tables of pulses below hold. Files are made from the values that are expected of them.
ROWS = [
    ("p_to_ap", 0.8066, 5.0, 1000, 133),
    ("p_to_ap", 0.949, 5.0, 1000, 494),
    ("p_to_ap", 1.0629, 5.0, 1000, 777),
    ("ap_to_p", 0.6425, 10.0, 2000, 96),
    ("ap_to_p", 0.7559, 10.0, 2000, 1527),
]
NAMES = ["direction", "amplitude_V", "duration_ns", "trials", "switched"]
SWITCHING = {
    "direction": [row[0] for row in ROWS],
    "amplitude_V": [row[1] for row in ROWS],
    "duration_s": [1e-9 * row[2] for row in ROWS],
    "trials": [row[3] for row in ROWS],
    "switched": [row[4] for row in ROWS],
}
HOT = {**SWITCHING, "temperature_K": [358.15] * 5}
STATES = 'words = { "0" = "p", "1" = "ap" }\n'
NUMBERS = 'words = { "-1" = "p_to_ap", "1" = "ap_to_p" }\n'
BY_NUMBER = (
    'columns = { direction = 1, amplitude = { column = 2, unit = "V" }, '
    'duration = { column = 3, unit = "ns" }, trials = 4, switched = 5 }\n' + NUMBERS
)
NAMED = ",".join(NAMES)
BARE = "direction,amplitude,duration,trials,switched"
IN_SECONDS = "direction,amplitude_V,duration_s,trials,switched"


def lines_of(separator=",", header=NAMED, change=lambda row: row):
    """Lines of a text; `change` makes the cells of a row from its values."""
    head = [header.replace(",", separator)] if header else []
    return [*head, *(separator.join(map(str, change(row))) for row in ROWS)]


MATRIX = {
    "amplitude_V": [0.5, 0.5, 0.6, 0.6],
    "duration_s": [5e-9, 1e-8, 5e-9, 1e-8],
    "switched": [100, 250, 300, 550],
}
MATRIX_RULES = (
    'matrix = { rows = "amplitude_V", columns = "duration_ns", values = "probability" }\n'
    'values = { trials = 1000, direction = "p_to_ap" }\n'
)


def read(folder, content, rules="", name="data.csv"):
    path, own = folder / name, folder / "rules.toml"
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else "\n".join([*content, ""])).encode()
    path.write_bytes(content)
    own.write_text(rules, encoding="utf-8")
    return read_tables([path], own if rules else None)


def compare(tables, expected):
    found = pd.concat([table.rows for table in tables], ignore_index=True)
    for name, values in expected.items():
        if isinstance(values[0], str):
            assert found[name].to_list() == values, name
        else:
            np.testing.assert_allclose(found[name].astype(float), values, rtol=1e-9, err_msg=name)
