"""The page of PyTorch's memory, its docstring, and what is said without PyTorch."""

import doctest
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from common import ROOT

import mtjchar.torch.parameters
from mtjchar.errors import InputError
from mtjchar.torch import MemoryParameters


def test_without_pytorch_a_named_error_says_how_to_get_it():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from mtjchar.errors import MissingToolError\n"
        "try:\n    import mtjchar.torch\nexcept MissingToolError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "mtjchar[torch]"' in done.stdout


def test_the_example_of_the_class_runs():
    tried = doctest.testmod(mtjchar.torch.parameters)
    assert tried.attempted > 0
    assert tried.failed == 0


def examples():
    page = (ROOT / "docs/torch.md").read_text(encoding="utf-8")
    return [code for code in re.findall(r"(?s)```python\n(.*?)```", page) if "import jax" not in code]


def test_the_examples_of_the_page_run_as_printed(tmp_path, monkeypatch, capsys, analytic_surface):
    monkeypatch.chdir(tmp_path)
    training, from_surface = examples()
    names = {}
    exec(training, names)
    first, second = capsys.readouterr().out.splitlines()
    assert float(first.split()[0]) > 0.9
    # Between the rates of both directions.
    assert 0.05 < float(first.split()[4]) < 0.1
    assert second == f"{1e9 * names['memory'].energy_J:.2f} nJ"
    assert set(torch.load("trained.pt", weights_only=True)) == {"model", "memory"}
    (tmp_path / "run").mkdir()
    analytic_surface.save(tmp_path / "run/surface.nc")
    exec(from_surface, names)
    np.testing.assert_allclose(names["memory"].conditions.rates.max(), 0.05, rtol=1e-3)
    with pytest.raises(InputError, match="pulses"):
        MemoryParameters(names["model"], analytic_surface, seed=1)
