"""What many tests need: paths from the root, the demo study, an executor that runs in place."""

from concurrent.futures import Executor, Future
from pathlib import Path

from mtjchar.study import load_study

ROOT = Path(__file__).resolve().parent.parent
DEMO_FILE = ROOT / "data/studies/demo.toml"
DEMO = load_study(DEMO_FILE)


def with_values(table, **values):
    """Return one table of a study, such as a stack, with other values; checked, as `Study.with_` does."""
    return type(table).model_validate({**dict(table), **values})


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
