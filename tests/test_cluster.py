"""A sweep on a dask cluster: real schedulers and workers, some of them killed, and who answers instead."""

import contextlib
import errno
import os
import pickle
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import msgpack
import pandas as pd
import pytest
from common import DEMO, ROOT, InPlace

from mtjchar.errors import ClusterError, InputError
from mtjchar.sweep import peer, tasks
from mtjchar.sweep.cluster import TlsFiles, _Call, cluster
from mtjchar.sweep.run import run_sweep


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Two devices a part."""
    monkeypatch.setattr(tasks, "DEVICES_PER_TASK", 2)


def study():
    return DEMO.with_(
        sweep={
            "amplitude": {"start": 0.6, "stop": 0.8, "points": 2},
            "duration": {"start": 1e-9, "stop": 4e-9, "points": 3},
            "devices": 24,
        }
    )


def parts_of(path):
    return {part.name: part.read_bytes() for part in sorted((path / "samples").iterdir())}


def dask(*arguments, cwd=ROOT):
    """Start a program of dask's; of Python's options those that dask itself needs are left as they are."""
    command = [sys.executable, "-W", "ignore", "-m", "distributed.cli." + arguments[0], *arguments[1:]]
    environment = {**os.environ, "PYTHONPATH": str(cwd)}
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd, env=environment
    )


class Rig:
    """A scheduler and its workers, which nobody starts again."""

    def __init__(self, *options, scheme="tcp"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self.scheduler = dask("dask_scheduler", *where, *options)
        self.workers = []

    def start_worker(self, *options, cwd=ROOT):
        common = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers.append(dask("dask_worker", self.address, *common, *options, cwd=cwd))

    def answers(self):
        """Wait for the scheduler."""
        for _ in range(600):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(*self.workers, self.scheduler)

    @staticmethod
    def end(*processes):
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@pytest.fixture(scope="module")
def idle():
    """A scheduler to which no worker has come."""
    with Rig() as rig:
        rig.answers()
        yield rig


dask_warns = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.mark.slow
@dask_warns
def test_worker_that_is_killed_loses_nothing(tmp_path):
    with Rig() as rig:
        rig.start_worker()
        rig.start_worker()
        expected = parts_of(run_sweep(study(), tmp_path / "here", executor=InPlace()))
        assert len(expected) == 24
        killed = []

        def kill(what):
            if what["event"] == "part" and what["done"] > what["total"] / 4 and not killed:
                killed.append(what["done"])
                os.kill(rig.workers[0].pid, signal.SIGKILL)

        with cluster(rig.address) as executor:
            run_sweep(study(), tmp_path / "there", executor=executor, log=kill)
        assert killed
        assert rig.workers[0].wait(10) == -signal.SIGKILL
        assert rig.workers[1].poll() is None
    assert parts_of(tmp_path / "there") == expected


@pytest.mark.slow
@dask_warns
def test_workers_are_waited_for_but_not_a_scheduler_that_is_gone(tmp_path):
    said = []
    with Rig() as rig:
        rig.answers()

        def watch(what):
            if what["event"] == "workers":
                said.append((what["workers"], what["text"]))
                if what["workers"] == 0:
                    rig.start_worker()
            if what["event"] == "part" and what["done"] > 0:
                rig.scheduler.kill()

        words = rf"The dask scheduler {rig.address} is lost: .* Finished samples are kept"
        with cluster(rig.address) as executor, pytest.raises(ClusterError, match=words):
            run_sweep(study(), tmp_path / "run", executor=executor, log=watch)
        before = time.monotonic()
    assert time.monotonic() - before < 5.0
    assert said == [(0, "waiting for workers (0)"), (1, "workers: 1")]
    assert 0 < len(parts_of(tmp_path / "run")) < 24


@pytest.mark.slow
@dask_warns
def test_ctrl_c_ends_the_waiting_for_workers(idle, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(study().to_toml())
    log = tmp_path / "log.json"
    words = ["sweep", file, "--out", tmp_path / "run", "--cluster", idle.address, "--json-log", log]
    command = subprocess.Popen(
        [sys.executable, "-m", "mtjchar.cli", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        for _ in range(600):
            if log.exists() and "waiting for workers (0)" in log.read_text():
                break
            time.sleep(0.1)
        before = time.monotonic()
        command.send_signal(signal.SIGINT)
        said, _ = command.communicate(timeout=30)
    finally:
        command.kill()
    assert time.monotonic() - before < 5.0
    assert command.returncode == 130
    assert "waiting for workers (0)" in said
    assert "Interrupted" in said
    assert "Traceback" not in said


@pytest.mark.slow
@dask_warns
def test_worker_that_is_not_as_here_ends_the_sweep_with_words(idle, tmp_path):
    empty, other = tmp_path / "empty", tmp_path / "other"
    (empty / "mtjchar").mkdir(parents=True)
    (empty / "mtjchar/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'mtjchar'\")\n")
    other.write_text("import mtjchar\nmtjchar.__version__ = '9.9'\n")
    other = other.rename(tmp_path / "other.py")
    cases = [
        ({"cwd": empty}, (), r"A worker of .* cannot do the work: .*No module named 'mtjchar'.*needs the"),
        ({}, ("--preload", str(other)), r"The worker on .* has mtjchar 9\.9, here is .* Install the same"),
    ]
    for where, options, words in cases:
        idle.start_worker(*options, **where)
        with cluster(idle.address) as executor, pytest.raises(ClusterError, match=words):
            run_sweep(study(), tmp_path / "run", executor=executor)
        idle.end(idle.workers.pop())
    assert parts_of(tmp_path / "run") == {}


# ---- who answers instead of a scheduler -------------------------------------------------------------


def frame(message):
    body = msgpack.packb(message)
    return struct.pack("3Q", 16 + len(body), 1, len(body)) + body


GREETING = {"compression": None, "python": (3, 11, 0), "pickle-protocol": 5}


def says(words):
    return lambda peer: peer.sendall(words)


def web(peer):
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def resets(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def drips(peer):
    for byte in frame(GREETING):
        peer.sendall(bytes([byte]))
        time.sleep(0.2)


def answers(identity):
    def converse(peer):
        peer.sendall(frame(GREETING))
        peer.recv(4096)
        peer.sendall(frame(identity))

    return converse


WORKER = {"type": "Worker", "scheduler": "tcp://10.0.0.1:8786"}
NESTED = b"\x91" * 4000


@contextlib.contextmanager
def fake_peer(converse):
    """Give the port of a server that keeps its connections open after what it does with each."""
    kept = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                kept.append(server.accept()[0])
                threading.Thread(target=talk, args=(kept[-1],), daemon=True).start()

    def talk(peer):
        with contextlib.suppress(OSError):
            converse(peer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for peer in kept:
                peer.close()


@pytest.mark.parametrize(
    ("converse", "words"),
    [
        (lambda _: None, "said nothing within 1 s"),
        (web, "It speaks HTTP, as dask's dashboard does"),
        (says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "It is an SSH server"),
        (says(b"\xff" * 64), "It is no dask scheduler that this version"),
        (says(bytes(64)), "It is no dask scheduler that this version"),
        (says(struct.pack("3Q", 4016, 1, 4000) + NESTED), "It is no dask scheduler that this version"),
        (says(struct.pack("3Q", 24, 2**60, 8) + bytes(8)), "It is no dask scheduler that this version"),
        (says(frame(3)), "It is no dask scheduler that this version"),
        (says(frame({"compression": None})), "It is dask.distributed of another version"),
        (says(frame(GREETING)), "It did not finish its answer within 1 s"),
        (answers({"status": "uncaught-error"}), "It is dask.distributed of another version"),
        (answers(WORKER), "It is dask's worker of the scheduler tcp://10.0.0.1:8786. Give the"),
        (answers({"type": "Nanny"}), "It is dask's nanny. Give the address of the scheduler"),
        (lambda peer: peer.close(), "It closed the connection without a word"),
        (resets, "It broke the connection"),
        (drips, "It did not finish its answer within 1 s"),
    ],
    ids=["silent", "web", "ssh", "ones", "zeros", "nested", "frames", "number", "old", "greets", "error",
         "worker", "nanny", "closes", "resets", "drips"],
)  # fmt: skip
def test_who_is_no_scheduler_is_told_apart(monkeypatch, converse, words):
    monkeypatch.setattr(peer, "_TALK", 1.0)
    monkeypatch.setattr(peer, "_PROVOKE", 0.5)
    before = time.monotonic()
    with (
        fake_peer(converse) as port,
        pytest.raises(InputError, match=re.escape(words)),
        cluster(f"tcp://127.0.0.1:{port}"),
    ):
        pass
    assert time.monotonic() - before < 3.0


def test_peer_that_breaks_the_connection_while_it_is_made_is_told_as_later(monkeypatch):
    def reset(*_, **__):
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setattr(peer.socket, "create_connection", reset)
    words = "It broke the connection: Connection reset by peer: no dask scheduler does"
    with pytest.raises(InputError, match=words), cluster("tcp://127.0.0.1:8786"):
        pass


def test_time_limits_are_what_is_promised():
    assert peer._CONNECT + peer._TALK + peer._PROVOKE < 20.0


@dask_warns
def test_scheduler_that_falls_silent_takes_no_client(monkeypatch):
    monkeypatch.setattr("mtjchar.sweep.cluster._CONNECT", 1.0)
    first = []

    def converse(peer):
        peer.sendall(frame(GREETING))
        if not first:
            first.append(peer.recv(4096))
            peer.sendall(frame({"type": "Scheduler", "workers": {}}))

    with (
        fake_peer(converse) as port,
        pytest.raises(InputError, match="A scheduler answers, but takes no client"),
        cluster(f"tcp://127.0.0.1:{port}"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", ""),
        ("http://127.0.0.1:80", ""),
        ("tcp://127.0.0.1", ""),
        ("tcp://127.0.0.1:99999", ""),
        ("tcp://127.0.0.1:1", "Connection refused"),
    ],
)
def test_nobody_at_the_address_is_said(address, words):
    with pytest.raises(InputError, match="a dask scheduler that answers") as refusal, cluster(address):
        pass
    assert f"--cluster: got {address!r}" in str(refusal.value)
    assert words in str(refusal.value)


# ---- TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The files that the commands of docs/cluster.md make, and in a folder those of another authority."""
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    script = next(code for code in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "openssl req" in code)
    folder = tmp_path_factory.mktemp("tls")
    for place in (folder, folder / "other"):
        place.mkdir(exist_ok=True)
        subprocess.run(["sh", "-ec", script], cwd=place, check=True, capture_output=True, timeout=60)
    return folder


def files(folder, ca="ca.pem"):
    return TlsFiles(folder / ca, folder / "cert.pem", folder / "key.pem")


@dask_warns
def test_tls_from_end_to_end(idle, certificates, monkeypatch):
    monkeypatch.setattr(peer, "_TALK", 2.0)
    options = ["--tls-ca-file", certificates / "ca.pem", "--tls-cert", certificates / "cert.pem"]
    options = [str(one) for one in [*options, "--tls-key", certificates / "key.pem"]]
    with Rig("--protocol", "tls", *options, scheme="tls") as rig:
        rig.answers()
        rig.start_worker(*options)
        with cluster(rig.address, files(certificates)) as executor:
            assert executor.submit(sum, [1, 2]).result(60) == 3
        refused = [
            (rig.address, files(certificates, "other/ca.pem"), "Its certificate does not fit the authority"),
            (
                rig.address,
                TlsFiles(certificates / "ca.pem", *files(certificates / "other")[1:]),
                "It broke TLS",
            ),
            (rig.address.replace("tls", "tcp"), None, "It speaks TLS. If it is a scheduler give a tls://"),
            (idle.address.replace("tcp", "tls"), files(certificates), "It does not speak TLS: give a tcp://"),
        ]
        for address, tls, words in refused:
            with pytest.raises(InputError, match=words), cluster(address, tls):
                pass


@pytest.mark.parametrize(
    ("scheme", "changed", "words"),
    [
        ("tcp", {}, "--tls-ca: got .* allowed: only with an address that begins with tls://"),
        ("tls", {"ca": None}, "--tls-ca: got None; allowed: a PEM file, for a tls:// address"),
        ("tls", {"certificate": None}, "--tls-cert: got None; .*--tls-ca ca.pem --tls-cert cert.pem"),
        ("tls", {"ca": "none.pem"}, "--tls-ca: got .*none.pem'; allowed: a PEM file that exists"),
        ("tls", {"key": "other"}, "--tls-key: got .*other'; allowed: a PEM file that exists"),
        ("tls", {"ca": "key.pem"}, "--tls-ca: got .*; allowed: a PEM file with certificates"),
        ("tls", {"certificate": "text"}, "--tls-cert: got .*; allowed: a PEM file with a certificate, and"),
        ("tls", {"key": "other/key.pem"}, "--tls-cert: got .*; OpenSSL: key values mismatch"),
        ("tls", {"key": "locked.pem"}, "--tls-cert: got .*key without a pass phrase"),
    ],
)
def test_files_for_tls_are_looked_at_first(certificates, scheme, changed, words):
    (certificates / "text").write_text("no certificate")
    lock = ["openssl", "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:secret", "-out", "locked.pem"]
    subprocess.run(lock, cwd=certificates, check=True, capture_output=True, timeout=60)
    changed = {name: file and certificates / file for name, file in changed.items()}
    tls = files(certificates)._replace(**changed)
    with pytest.raises(InputError, match=words.replace("; OpenSSL", ".*OpenSSL")):
        cluster(f"{scheme}://127.0.0.1:1", tls).__enter__()


def test_files_for_tls_without_a_cluster_are_refused(call, tmp_path):
    study = ROOT / "data/studies/demo.toml"
    code, _, said = call("sweep", study, "--out", tmp_path / "run", "--tls-ca", "ca.pem")
    assert code == 2
    assert "allowed: only with --cluster tls://" in said


def test_threads_of_one_process_take_turns():
    # Two simulators at once in one process crash; dask's workers have several threads unless told otherwise.
    one, most, lock = [0], [0], threading.Lock()

    def watched(_task):
        with lock:
            one[0] += 1
            most[0] = max(most[0], one[0])
        time.sleep(0.05)
        with lock:
            one[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "compute", watched)
        task = tasks.Task(DEMO, pd.DataFrame(), "p_to_ap")
        threads = [threading.Thread(target=tasks.run_task, args=(task,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == [1]
    assert re.fullmatch(r"\d+", tasks.versions()["ngspice"])


def test_error_of_the_program_on_a_worker_is_one_that_is_done_again():
    def meets_an_error():
        raise OSError(28, "No space left on device")

    value, error = _Call(meets_an_error, (), {})()
    assert value is None
    assert error.status == "error"  # as in processes of this machine: no final row of a device
    assert str(error).startswith("OSError: [Errno 28] No space left on device\n")
    assert pickle.loads(pickle.dumps(error)).status == "error"
