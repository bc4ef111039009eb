"""Memory of a sweep: what a worker grows by, and what the parent holds; docs/sweeps.md keeps a run.

Each figure is that of a process of its own. Peaks are those that Linux has seen of it: they depend on where
the allocator and the kernel put things, and so on what else the machine does. What a worker holds (`held_MB`)
is what malloc has given out and not got back, which does not. `--short` for a tenth of the work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

WORKER = r"""
import ctypes, gc, json, re, sys
from pathlib import Path
import numpy as np
from mtjchar.study import load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.waveforms import write_waveforms

wanted = int(sys.argv[1])
study = load_study("data/studies/demo.toml").with_(read=None)
devices = Population(study).draw()[:64]
cells, amplitudes = cell_parameters(study.tables, devices), study.sweep.amplitude.values()

def peak():
    # Not ru_maxrss, which begins with what the process that made this one held.
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def once(k):
    # Edges in both states at six amplitudes, and now and then whole writes and a whole task.
    load_lines(study.tables, cells, study.sweep.directions[k % 2], study.pulses.at(amplitudes))
    if k % 8 == 0:
        write_waveforms(study.tables, cells.assign(u0=-2.5), "ap_to_p", study.pulses.at(0.9, 5e-9))
        characterize(Task(study, devices, study.sweep.directions[k // 8 % 2]))

done = 0
for k in range(2):
    once(8 * k)

class Mallinfo2(ctypes.Structure):  # of glibc, all size_t
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Mallinfo2

def held_MB():
    gc.collect()
    info = mallinfo2()
    return (info.uordblks + info.hblkhd) / 2**20

def open_now():
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

before, held_before, open_before = peak(), held_MB(), open_now()
while done < wanted:
    once(done // (12 * 64))
    done += 12 * 64
print(json.dumps({
    "transients": done, "before_MB": before, "growth_MB": peak() - before, "held_MB": held_MB() - held_before,
    "more_files": open_now()[0] - open_before[0], "more_threads": open_now()[1] - open_before[1],
}))
"""

PARENT = r"""
import json, re, sys, tempfile
from concurrent.futures import Executor, Future
from pathlib import Path
import numpy as np
from mtjchar.study import load_study
from mtjchar.sweep import importance
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.tasks import Result, failed_samples

class Instantly(Executor):
    # What workers send, with random numbers: the parent cannot tell the difference.
    def submit(self, fn, task):
        future, rng = Future(), np.random.default_rng(1)
        samples = failed_samples(task, "ok", "")
        samples = samples._replace(numbers=rng.uniform(size=samples.numbers.shape))
        future.set_result(Result(samples, {"mtjchar": "0"}))
        return future

importance.worth_a_pilot = lambda study: False
study = load_study("data/studies/demo.toml").with_(read=None)
study = study.with_(sweep={"devices": int(sys.argv[1])})
with tempfile.TemporaryDirectory() as folder:
    run_sweep(study, Path(folder) / "run", executor=Instantly())
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps({"devices": study.sweep.devices, "peak_MB": int(peak) / 1024}))
"""


def measured(code: str, work: int) -> dict[str, float]:
    """Run code in a process of its own; returns what it prints."""
    # Python's own allocator would keep small objects from malloc's sight.
    environment = {**os.environ, **({"PYTHONMALLOC": "malloc"} if code == WORKER else {})}
    done = subprocess.run(
        [sys.executable, "-c", code, str(work)], capture_output=True, text=True, check=True, env=environment
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    share = 10 if parser.parse_args().short else 1
    for name, code, work in (("worker", WORKER, 20_000), ("parent", PARENT, 10_000)):
        figures = measured(code, work // share)
        sys.stdout.write(
            f"{name}: " + ", ".join(f"{key} {value:.0f}" for key, value in figures.items()) + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
