"""What a command loads before it answers, and how the command line is started."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import mtjchar

QUERY = """
import sys
sys.argv = ["mtjchar", "query", *sys.argv[1:]]
from mtjchar.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(*sys.modules)
"""
PULSE = ["--direction", "p_to_ap", "--amplitude", "0.8 V", "--duration", "8 ns"]
# Each takes a tenth of a second of CPU or more to load, some a whole one.
HEAVY = [
    "scipy", "pandas", "xarray", "pint", "pyarrow", "lmfit", "matplotlib", "PySpice", "torch", "distributed",
]  # fmt: skip
OWN = ["mtjchar.cells", "mtjchar.study", "mtjchar.network", "mtjchar.plotting"]


def python(*arguments):
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_query_loads_nothing_that_it_does_not_need():
    loaded = python("-c", QUERY, mtjchar.data_path() / "example_run", *PULSE).split()
    assert "mtjchar.surfaces.surface" in loaded
    assert [name for name in [*HEAVY, *OWN] if name in loaded] == []


@pytest.mark.parametrize("module", ["mtjchar", "mtjchar.cli"])
def test_the_package_is_a_command(module):
    assert python("-m", module, "--version") == f"mtjchar {version('mtjchar')}\n"


def test_the_version_loads_no_numbers():
    code = "import sys; from mtjchar.cli.app import app; print(*sys.modules)"
    assert not {"pandas", "xarray", "scipy", "pint"} & set(python("-c", code).split())
