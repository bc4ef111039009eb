"""Files as instruments, their programs and people write them: each is read as it was made, or refused."""

import io

import numpy as np
import pytest
from instrument_rows import (
    BARE,
    BY_NUMBER,
    HOT,
    IN_SECONDS,
    MATRIX,
    MATRIX_RULES,
    NAMED,
    NAMES,
    NUMBERS,
    ROWS,
    STATES,
    SWITCHING,
    compare,
    lines_of,
    read,
)
from scipy import constants

from mtjchar.errors import InputError


def with_cell(place, write):
    """Change of rows that writes one of their values another way."""
    return lambda row: [write(value) if k == place else value for k, value in enumerate(row)]


def with_words(forward, back, separator=","):
    words = {"p_to_ap": forward, "ap_to_p": back}
    return lines_of(separator, change=with_cell(0, words.get))


def saved(**options):
    """Text that numpy.savetxt writes of the rows, directions as -1 and 1."""
    file = io.StringIO()
    np.savetxt(file, [[1.0 if row[0] == "ap_to_p" else -1.0, *row[1:]] for row in ROWS], **options)
    return file.getvalue()


def shares(write):
    """Cells with an outcome in place of the writes that switched, from their share."""
    return lambda row: [*row[:4], write(row[4] / row[3])]


def outcome(name, write):
    """Lines with another outcome, from the share of the writes that switched."""
    return lines_of(header=NAMED.replace("switched", name), change=shares(write))


RV = {"voltage_V": [0.1, 0.2, -0.1], "resistance_ohm": [2000.0] * 3, "state": ["p"] * 3}
LOOP = {"field_T": [-0.1, 0.0, 0.1], "resistance_ohm": [2000.0, 2000.0, 4000.0]}
WIDE = {"trials": [4, 4], "switched": [3, 3]}
VOLTAGE = 'columns.voltage = {{ name = "{}", unit = "V" }}\n'
THRESHOLD = 'values = { threshold = "3 kohm" }\n'
RESISTANCES = [(2000, 4000, 4010, 3990), (2000, 2010, 4010, 1990)]


def wide(name, write="{:g}", factor=1.0):
    """Lines of two pulses with four readings each; the third of both and two more are in the other state."""
    header = ";".join([*NAMES[:3], *(name.replace("1", str(k)) for k in range(1, 5))])
    cells = [";".join(write.format(factor * value) for value in row) for row in RESISTANCES]
    return [header, f"p_to_ap;0.8;10;{cells[0]}", f"ap_to_p;0.8;10;{cells[1]}"]


# ---- instruments and programs: lines, rules, expected rows ----

INSTRUMENTS = {
    "Keithley": (
        ["Keithley 2400", "Serial,1234", "", "Reading,Unit,Source,Source Unit,State"]
        + [f"{v / 2000:.6E},AMP,{v:.4f},VOLT,P" for v in RV["voltage_V"]],
        VOLTAGE.format("Source") + 'columns.current = { name = "Reading", unit = "A" }\n',
        RV,
    ),
    "Keysight B1500": (
        ["SetupTitle, IV sweep", "TestParameter, Channel.UnitType, SMU, SMU", "Dimension1, 3, 3",
         "DataName, V1, I1"] + [f"DataValue, {v}, {v / 2000:.6g}" for v in RV["voltage_V"]],
        'columns = { voltage = { name = "V1", unit = "V" }, current = { name = "I1", unit = "A" } }\n'
        'values = { state = "P" }\n',
        RV,
    ),
    "LabVIEW": (
        ["LabVIEW Measurement\t", "Separator\tTab", "***End_of_Header***\t", "\t", "Channels\t2\t\t",
         "Date\t2023/11/27\t2023/11/27\t", "Y_Unit_Label\tmT\tOhms\t", "***End_of_Header***\t\t\t",
         "X_Value\tfield_mT\tresistance_ohm\tComment", "0\t-100\t2000\tstart", "1\t0\t2000", "2\t100\t4000"],
        'values = { sweep_rate = "10 mT/s" }\n',
        {**LOOP, "sweep_rate_T_per_s": [0.01] * 3},
    ),
    "mumax": (
        ["# t (s)\tmx ()\tmz ()\tB_extz (T)", "0\t0\t2000\t-0.1", "1e-9\t0\t2000\t0", "2e-9\t0\t4000\t0.1"],
        'columns = { field = "B_extz", resistance = { name = "mz", unit = "ohm" } }\n',
        LOOP,
    ),
    "Capres": (
        ["Capres A/S CIPTech", "Sample: W3", "Site;X [mm];Y [mm];RA [Ohm·µm²];MR [%];Rt [Ohm/sq];Rb [Ohm/sq]",
         "1;0;0;5.1;120;10;5", "2;1;0;5.2;121;10;5"],
        'columns = { tmr = "MR" }\n',
        {"tmr": [1.2, 1.21], "resistance_area_product_ohm_m2": [5.1e-12, 5.2e-12]},
    ),
    "savetxt": (saved(header="dir amplitude_V duration_ns trials switched"),
                'columns = { direction = "dir" }\n' + NUMBERS, SWITCHING),
    "savetxt without a header": (saved(), BY_NUMBER, SWITCHING),
    "savetxt with a text above": (saved(header="lot A\n300 K\ncolumn 1: direction"), BY_NUMBER, SWITCHING),
    "pandas": (["   " + "  ".join(NAMES), *(f"{k}  {line}" for k, line in enumerate(lines_of("  ", "")))], "",
               SWITCHING),
    "R": ([" ".join(f'"{name}"' for name in NAMES),
           *(f'"{k}" {line}' for k, line in enumerate(lines_of(" ", ""), 1))], "", SWITCHING),
    "OriginLab": (["Direction\tAmplitude\tDuration\tTrials\tSwitched", "\tV\tns\t\t", "\t\tpulse\t\tWafer 3",
                   *lines_of("\t", "")], "", SWITCHING),
    "wafer prober": (
        ["Wafer;Die X;Die Y;Pulse amplitude (V);Pulse width (ns);Direction;Trials;Psw",
         *(f"W3;{k};0;{a};{t};{d};{n};{100 * s / n:g}%" for k, (d, a, t, n, s) in enumerate(ROWS))],
        'columns = { amplitude = "Pulse amplitude", duration = "Pulse width", probability = "Psw" }\n',
        SWITCHING,
    ),
}  # fmt: skip

# ---- forms of headers, rows and numbers that need no rules ----

FORMS = {
    "unit behind a slash": lines_of(";", "Direction,Amplitude / V,Duration / ns,Trials,Switched"),
    "unit behind a comma": [
        "Direction\tAmplitude, V\tDuration, ns\tTrials\tSwitched", *lines_of("\t", "")],
    "unit behind a blank": lines_of("\t", "Direction,Amplitude V,Duration ns,Trials,Switched"),
    "units with words and ones": [*lines_of("\t", BARE)[:1],
                                  "text\tV\tns\t1\t1", *lines_of("\t", "")],
    "units in a comment": [f"#{BARE}", "#,V,ns", *lines_of(header="")],
    "tabs behind marks of comments": [
        "#\t" + BARE.replace(",", "\t"), "#\t-\tV\tns\t\t", *lines_of("\t", "")],
    "line below the header": [" ".join(NAMES), "=" * 40, *lines_of(" ", "")],
    "texts of Excel": lines_of(change=with_cell(1, lambda v: f'="{v}"')),
    "decimal commas and units in cells": lines_of(";", BARE, lambda r: [
        r[0], f"{r[1]} V".replace(".", ","), f"{r[2]} ns".replace(".", ","), *r[3:]]),
    "units in cells": lines_of(header=BARE,
                               change=lambda r: [r[0], f"{1e3 * r[1]:g} mV", f"{r[2]:g}ns", *r[3:]]),
    "different units in cells": lines_of(
        header=BARE,
        change=lambda r: [r[0], f"{r[1]} V" if r[3] == 1000 else f"{1e3 * r[1]:g} mV", f"{r[2]} ns", *r[3:]]),
    "prefixes": lines_of(header=IN_SECONDS,
                         change=lambda r: [r[0], f"{1e3 * r[1]:g}m", f"{r[2]:g}n", f"{r[3] / 1e3:g}k", r[4]]),
    "exponents as text": lines_of(header=IN_SECONDS,
                                  change=lambda r: [
        f'"{x}"' for x in (*r[:2], f"{1e-9 * r[2]:.2E}", *r[3:])]),
    "exponents of Fortran": lines_of(" ", IN_SECONDS,
                                     lambda r: [*r[:2], f"{1e-9 * r[2]:.2E}".replace("E", "D"), *r[3:]]),
    "powers of ten": lines_of(header=IN_SECONDS,
                              change=with_cell(2, lambda t: f"{t:g}x10^-9")),
    "decimal commas with exponents": [line.replace(".", ",") for line in lines_of(
        ";", IN_SECONDS, with_cell(2, lambda t: f"{1e-9 * t:.2E}"))],
    "minus of typesetters": lines_of(change=lambda r: [
        r[0], f"{'−' if r[0] == 'p_to_ap' else '+'}{r[1]}", *r[2:]]),
    "sign and blank": lines_of(change=lambda r: [
        r[0], f"{'- ' if r[0] == 'p_to_ap' else '+ '}{r[1]}", *r[2:]]),
    **{f"thousands with {mark!r}": lines_of(";", change=lambda r, mark=mark: [
        *r[:3], *(f"{x:,}".replace(",", mark) for x in r[3:])])
       for mark in ("'", "’", " ", "\u00a0", "\u202f")},
    "thousands with points": lines_of(";", change=lambda r: [
        r[0], *(str(x).replace(".", ",") for x in r[1:3]), *(f"{x:,}".replace(",", ".") for x in r[3:])]),
    "separator behind the header": [f"{lines_of()[0]},", *lines_of()[1:]],
    "separator behind the rows": [lines_of()[0], *(f"{line}," for line in lines_of()[1:])],
    "leading separator": [f",{line}" for line in lines_of()],
    "empty column": [line.replace(",", ",,", 1) for line in lines_of()],
    "number of each row": [f",{NAMED}", *(f"{k},{line}" for k, line in enumerate(lines_of(header="")))],
    "time stamps": ["time,direction,amplitude_V,duration_ns,trials,switched",
                    *(f"2023-11-27 10:12:{k:02d},{line}" for k, line in enumerate(lines_of(header="")))],
    "time stamps between blanks": [
        "stamp direction amplitude_V duration_ns trials switched",
        *(f"2023-11-27 10:12:{k:02d} {line}" for k, line in enumerate(lines_of(" ", "")))],
    "commas in a header between blanks": [", ".join(NAMES), *lines_of(" ", "")],
    "remarks behind rows": [lines_of()[0], *(f"{line} # ok, seen" for line in lines_of()[1:])],
    "names in the preamble": [f"Columns: {lines_of()[0]}", "", *lines_of()],
    "header again": [*lines_of()[:3], lines_of()[0], *lines_of()[3:]],
    "end of a DOS text": [*lines_of(), "\x1a"],
    "directions above": ["P->AP", ",".join(NAMES[1:]), *(",".join(map(str, r[1:])) for r in ROWS[:3]), "",
                         "Direction: AP->P", ",".join(NAMES[1:]),
                         *(",".join(map(str, r[1:])) for r in ROWS[3:])],
    "names below each other": [",".join([name, *map(str, column)]) for name, column in
                               zip(NAMES, zip(*ROWS, strict=True), strict=True)],
    "names and units below each other": [
        ";".join([name, unit, *map(str, column)]) for name, unit, column in
        zip(["direction", "amplitude", "duration", "trials", "switched"], ["", "V", "ns", "", ""],
            zip(*ROWS, strict=True), strict=True)],
    **{f"directions {a}": with_words(a, b, ";") for a, b in (
        ("P to AP", "AP to P"), ("P→AP", "AP→P"), ("P=>AP", "AP=>P"), ("P/AP", "AP/P"),
        ("Parallel to Antiparallel", "Antiparallel to Parallel"))},
    "blanks in directions and between cells": with_words("P to AP", "AP to P", "  "),
    "percent signs": outcome("probability", lambda p: f"{100 * p:g} %"),
    "percent signs of counts": outcome("switched", lambda p: f"{100 * p:g}%"),
    "percent signs of errors": outcome("WER", lambda p: f"{100 - 100 * p:g}%"),
    "percent below the name": [
        "direction,amplitude,duration,trials,probability", ",V,ns,,%",
        *lines_of(header="", change=shares(lambda p: 100 * p))],
    "-log10": outcome("-log10(WER)", lambda p: -np.log10(1 - p)),
    "log10 in brackets": outcome("WER (log10)", lambda p: np.log10(1 - p)),
}  # fmt: skip

# ---- other tables, with their rules ----

OTHERS = {
    "-log10 without trials": (
        ["direction,amplitude_V,duration_ns,-log10(BER)", "p_to_ap,0.9,5,6"], "",
        {"ln_error_rate": [-6.0 * np.log(10.0)]},
    ),
    "-log10 by rules": (
        outcome("x", lambda p: -np.log10(1 - p)),
        'columns = { "-log10_wer" = "x" }\n', SWITCHING,
    ),
    "percent by rules": (
        outcome("x", lambda p: 100 * (1 - p)),
        'columns = { wer = { name = "x", unit = "%" } }\n', SWITCHING,
    ),
    # Error rates below 1 % would be read as shares without a word.
    "small percentages below the name": (
        ["direction,amplitude,duration,trials,wer", ",V,ns,,%", "p_to_ap,0.9,5,100000,0.5"], "",
        {"switched": [99500]},
    ),
    "counts in percent below the name": (
        [BARE, ",V,ns,,%", "p_to_ap,0.9,5,1000,50"], "",
        {"switched": [500]},
    ),
    "states as directions": (with_words("0 to 1", "1 to 0"), STATES, SWITCHING),
    "states with arrows": (with_words("0->1", "1->0"), STATES, SWITCHING),
    "signs as directions": (with_words("-1", "+1"), NUMBERS, SWITCHING),
    "truths as states": (
        [line.replace("direction", "initial_state") for line in with_words("FALSE", "TRUE")],
        'words = { false = "p", true = "ap" }\n', SWITCHING,
    ),
    "numbered columns of resistances": (wide("R1 (ohm)"), "", WIDE),
    "numbered columns of other names": (wide("Rmtj_1"), "", WIDE),
    "numbered columns with a mark": (wide("Read #1 (kOhm)", factor=1e-3), THRESHOLD, WIDE),
    "numbered columns in brackets": (wide("R[1]"), "", WIDE),
    "numbered columns with units in cells": (
        wide("Res1", "{:g} kOhm", 1e-3), THRESHOLD, WIDE),
    "numbered states": (
        ["direction,amplitude_V,duration_ns,state_1,state_2,state_3", "p_to_ap,1,5,P,AP,AP",
         "ap_to_p,1,5,P,,P"], "",
        {"trials": [3, 2], "switched": [2, 2]},
    ),
    "numbered outcomes": (
        ["direction,amplitude_V,duration_ns,sw_1,sw_2,sw_3", "p_to_ap,1,5,0,1,1",
         "ap_to_p,1,5,1,True,NaN"], "",
        {"trials": [3, 2], "switched": [2, 2]},
    ),
    "pulses without a reading": (
        ["direction,amplitude_V,duration_ns,R_before_ohm,R_after_ohm",
         *(f"{d},1,5,{a},{b}" for d, a, b in [("p_to_ap", 2000, 4000), ("ap_to_p", 4000, 2000)] * 3),
         *(f"p_to_ap,1,5,2000,{x}" for x in ("", "NaN", "OVLD", "---", "9.9E37", "+9.91E+37", "#N/A"))], "",
        {"switched": [1] * 6},
    ),
    "both resistances over voltage": (
        ["voltage_V,R_P_ohm,R_AP_ohm", "0.1,2000,4000", "0.2,2000,"], "",
        {"voltage_V": [0.1, 0.2, 0.1], "resistance_ohm": [2000.0, 2000.0, 4000.0], "state": ["p", "p", "ap"]},
    ),
    "TMR with percent signs": (["diameter_nm,RA (Ω µm²),TMR", "40,5,120%"], "",
                               {"tmr": [1.2], "resistance_area_product_ohm_m2": [5e-12]}),
    "matrix with signs of percent": (["V\\ns,5,10", "0.5,10%,25%", "0.6,30%,55%"], MATRIX_RULES, MATRIX),
    "matrix with units": (["V\\ns,5 ns,10 ns", "0.5 V,0.1,0.25", "0.6 V,0.3,0.55"], MATRIX_RULES, MATRIX),
    "matrix with names of values": ([",t=5ns,t=10ns", "0.5,0.1,0.25", "0.6,0.3,0.55"], MATRIX_RULES, MATRIX),
    "matrix without a corner": (["   5   10", "0.5 0.1 0.25", "0.6 0.3 0.55"], MATRIX_RULES, MATRIX),
    "matrix below numbers": (
        ["Repeats,1000,7", "", "amplitude_V,5,10", "0.5,0.1,0.25", "", "0.6,0.3,0.55"], MATRIX_RULES, MATRIX),
    "matrix with tabs behind": (["\t5\t10\t", "0.5\t0.1\t0.25\t", "0.6\t0.3\t0.55\t"], MATRIX_RULES, MATRIX),
    "matrix with holes": (["V,5,10", "0.5,0.1,0.25", "0.6,NaN,0.55", "0.7,,"], MATRIX_RULES,
                          {"switched": [100, 250, 550]}),
    "matrices with directions": (
        ["P->AP,5,10", "0.5,0.1,0.25", "AP->P,5,10", "0.6,0.3,0.55"], MATRIX_RULES,
        {**MATRIX, "direction": ["p_to_ap", "p_to_ap", "ap_to_p", "ap_to_p"]},
    ),
    "names with units by rules": (
        ["Vp_mV,tp_ns,N,sw", "-800,5,10,3"],
        'columns = { amplitude = "Vp_mV", duration = "tp_ns", trials = "N", switched = "sw" }\n'
        'positive = "ap_to_p"\n',
        {"amplitude_V": [0.8], "duration_s": [5e-9], "direction": ["p_to_ap"]},
    ),
    "states without a reading": (
        ["direction,amplitude_V,duration_ns,state_before,state_after", "p_to_ap,1,5,P,AP", "ap_to_p,1,5,AP,"],
        "", {"switched": [1]},
    ),
    "powers of ten as error rates": (
        ["direction,amplitude_V,duration_ns,wer", "p_to_ap,1,5,10^-6"], "",
        {"ln_error_rate": [-6.0 * np.log(10.0)]},
    ),
    "states over the field": (["field_mT,state", "-100,P", "0,P", "100,AP"], "",
                              {**LOOP, "resistance_ohm": [1.0, 1.0, 2.0]}),
    "bits at rest": (
        ["initial_state,duration_h,temperature_degC,trials,switched", "P,10,150,10000,3"],
        'values = { amplitude = "0 V" }\n',
        {"amplitude_V": [0.0], "duration_s": [36000.0], "temperature_K": [423.15], "direction": ["p_to_ap"]},
    ),
    "ten years": (["direction,amplitude_V,duration (years),trials,switched", "p_to_ap,0,10,1000,3"], "",
                  {"duration_s": [10 * constants.Julian_year]}),
}  # fmt: skip


@pytest.mark.parametrize("maker", INSTRUMENTS)
def test_instruments_and_programs(tmp_path, maker):
    lines, rules, expected = INSTRUMENTS[maker]
    assert rules.count("\n") <= 5
    compare(read(tmp_path, lines, rules), expected)


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_headers_rows_and_numbers(tmp_path, form):
    tables = read(tmp_path, FORMS[form])
    assert {table.kind for table in tables} == {"switching"}
    compare(tables, SWITCHING)


@pytest.mark.parametrize("case", OTHERS)
def test_other_tables(tmp_path, case):
    lines, rules, expected = OTHERS[case]
    compare(read(tmp_path, lines, rules), expected)


# Units and their size in the SI unit, by definition.
UNITS = [
    *(("duration", unit, size) for unit, size in (
        ("Nanoseconds", 1e-9), ("nsec", 1e-9), ("n sec", 1e-9), ("µs", 1e-6), ("usec", 1e-6), ("Sec", 1.0))),
    *(("amplitude", unit, size) for unit, size in (("Volts", 1.0), ("mVolts", 1e-3), ("millivolt", 1e-3))),
    *(("current", unit, 1e-6) for unit in ("µA", "μA", "uA", "microA", "Microamps")),
    *(("resistance", unit, size) for unit, size in (("Ω", 1.0), ("Ohms", 1.0), ("KOhm", 1e3), ("kΩ", 1e3))),
    *(("field", unit, size) for unit, size in (
        ("Oe", 1e-4), ("oe", 1e-4), ("Oersted", 1e-4), ("G", 1e-4), ("Gauss", 1e-4),
        ("kA/m", 1e3 * constants.mu_0))),
    *(("resistance_area_product", unit, 1e-12) for unit in (
        "Ω·µm²", "Ohm*um^2", "Ohm-um2", "ohm.um2", "Ω•μm²", "Ωµm2", "Ohm um²")),
]  # fmt: skip
TABLES = {
    "duration": "direction;amplitude_V;duration ({});trials;switched\np_to_ap;1;3;10;5\n",
    "amplitude": "direction;amplitude ({});duration_ns;trials;switched\np_to_ap;3;5;10;5\n",
    "current": "direction;current ({});duration_ns;trials;switched\np_to_ap;3;5;10;5\n",
    "resistance": "voltage_V;resistance ({});state\n0.1;3;P\n",
    "field": "field ({});resistance_ohm\n3;2000\n",
    "resistance_area_product": "diameter_nm;resistance_area_product ({})\n40;3\n",
}


@pytest.mark.parametrize(("quantity", "unit", "size"), UNITS)
def test_spellings_of_units(tmp_path, quantity, unit, size):
    (table,) = read(tmp_path, TABLES[quantity].format(unit))
    (name,) = (name for name in table.rows if name.startswith(f"{quantity}_"))
    assert table.rows[name].to_list() == pytest.approx([3.0 * size], rel=1e-9)


@pytest.mark.parametrize("unit", ["degC", "°C", "C", "deg C", "ºC", "℃", "Celsius", "degrees celsius"])
def test_spellings_of_degrees(tmp_path, unit):
    lines = lines_of(header=f"{','.join(NAMES)},temperature ({unit})", change=lambda row: [*row, 85])
    compare(read(tmp_path, lines), HOT)
    compare(read(tmp_path, lines_of(), f'values = {{ temperature = "85 {unit}" }}\n'), HOT)


def test_a_unit_alone_in_japanese_bytes(tmp_path):
    lines = lines_of(header=f"{','.join(NAMES)},temperature (℃)", change=lambda row: [*row, 85])
    compare(read(tmp_path, "\n".join(lines).encode("cp932")), HOT)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("A7_85C.csv", "{lot}_{temperature}C.csv"), ("A7_85p0degC.csv", "{lot}_{temperature}degC.csv")],
)
def test_temperatures_in_names_of_files(tmp_path, name, pattern):
    compare(read(tmp_path, lines_of(), f'["{pattern}"]\n', name), HOT)


# ---- what cannot be understood ----

REFUSED = {
    "TMR without a sign": (["diameter_nm,TMR", "40,120"], "", "name it tmr_percent if it is in percent"),
    "kilo of counts": (lines_of(header=NAMED.replace("trials", "trials (k)")), "", "got 'k'"),
    "megavolts": (lines_of(header=NAMED.replace("V", "MV")), "", "Did you mean mV"),
    "points of thousands": (
        ["direction;amplitude_mV;duration_ns;trials;switched", "p_to_ap;500;5;1.000;1.000"], "",
        "whether the point is decimal or separates thousands"),
    "numbered columns of unknown names": (
        ["direction,amplitude_V,duration_ns,x1,x2,x3", "p_to_ap,1,5,1,2,3"], "",
        "numbered columns that the fit"),
    "readings far from the threshold": (
        wide("R_1", factor=1e-3), THRESHOLD, "Give the unit of the resistances"),
    "matrices without directions": (
        ["V,5,10", "0.5,0.1,0.25", "V,5,10", "0.6,0.3,0.55"], MATRIX_RULES, "got '2 matrices'"),
    "matrix without a header": (
        ["V,short,long", "0.5,0.1,0.25", "0.6,0.3,0.55"], MATRIX_RULES, "no row of numbers"),
    "failures at rest": (
        ["direction,amplitude_V,duration_h,trials,failures", "p_to_ap,0,10,1000,3"], "",
        r'not clear what failed.*switched = "failures"'),
    "rest without an amplitude": (
        ["direction,duration_h,trials,switched", "p_to_ap,10,1000,3"], "", r'\[values\] amplitude = "0 V"'),
    "a file that was cut off": (
        [*(f"{line},x" for line in lines_of()), "ap_to_p,0.8,5,1000,13"], "", "line 7: got"),
    "commas in texts": (
        [*(f"{line},x" for line in lines_of()), "ap_to_p,0.8,5,1000,13,a,b"], "", "quotation marks"),
    "tables side by side": (["a,a,b", "1,2,3"], 'columns = { trials = "b" }\n', "below each other"),
    "a bake of the film": (
        ["direction,amplitude_V,duration_h,temperature_degC,trials,switched", "p_to_ap,0,1,320,9,3"], "",
        "233.15 K to 573.15 K"),
    "averaged states": (["field_mT,state", "0,0.5"], "values = { averages = 10 }\n", 'words = \\{ "0" = "p"'),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_has_a_remedy(tmp_path, case):
    lines, rules, says = REFUSED[case]
    with pytest.raises(InputError, match=says):
        read(tmp_path, lines, rules)
