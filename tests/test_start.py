"""What a command loads before it answers, and how the command line is started."""

import subprocess
import sys
from importlib.metadata import version

import pytest

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
HEAVY = ["scipy.stats", "lmfit", "matplotlib", "PySpice", "torch", "distributed"]
OWN = ["mtjchar.cells.stt.measure", "mtjchar.surfaces.closed_model", "mtjchar.network", "mtjchar.plotting"]


@pytest.fixture
def run_folder(characterized_surface, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/study.toml").write_text(characterized_surface.dataset.attrs["study"])
    characterized_surface.save(tmp_path / "run/surface.nc")
    return tmp_path / "run"


def python(*arguments):
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_query_loads_nothing_that_it_does_not_need(run_folder):
    loaded = python("-c", QUERY, run_folder, *PULSE).split()
    assert "mtjchar.surfaces.surface" in loaded
    assert [name for name in [*HEAVY, *OWN] if name in loaded] == []


@pytest.mark.parametrize("module", ["mtjchar", "mtjchar.cli"])
def test_the_package_is_a_command(module):
    assert python("-m", module, "--version") == f"mtjchar {version('mtjchar')}\n"


def test_the_version_loads_no_numbers():
    code = "import sys; from mtjchar.cli.app import app; print(*sys.modules)"
    assert not {"pandas", "xarray", "scipy", "pint"} & set(python("-c", code).split())
