"""What many tests need: paths from the root, the demo study, an executor that runs in place."""

import platform
import sys
from concurrent.futures import Executor, Future
from pathlib import Path

from mtjchar.study import load_study

ROOT = Path(__file__).resolve().parent.parent
DEMO_FILE = ROOT / "data/studies/demo.toml"
DEMO = load_study(DEMO_FILE).with_(read=None)  # tests of reads are elsewhere; these are faster

# Where Verilog-A's simulators have wheels, as in pyproject.toml. There a missing one fails, and is no skip.
HAS_SIMULATORS = sys.platform == "linux" and platform.machine() == "x86_64"
HAS_OPENVAF_PY = sys.platform == "linux" and sys.version_info < (3, 13)


def with_values(table, **values):
    """Return one table of a study, such as a stack, with other values; checked, as `Study.with_` does."""
    return type(table).model_validate({**dict(table), **values})


def looks(axes):
    """Line style, marker and its filling of each line with a name, as they are drawn."""
    lines, _ = axes.get_legend_handles_labels()
    lines = [line[0] if isinstance(line, tuple) else line for line in lines]  # of error bars: the line itself
    # Matplotlib gives the dashes in no other way.
    return [
        (str(line._unscaled_dash_pattern), line.get_linestyle(), line.get_marker(), line.get_fillstyle(),
         str(line.get_markerfacecolor()) == "none")
        for line in lines
    ]  # fmt: skip


class InPlace(Executor):
    """Runs the tasks in this process, one after the other; keeps them."""

    def __init__(self):
        self.tasks = []

    def submit(self, fn, /, *args):
        self.tasks.append(args[0])
        future = Future()
        try:
            future.set_result(fn(*args))
        except Exception as error:
            future.set_exception(error)
        return future
