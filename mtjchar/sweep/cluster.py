"""Tasks on the workers of a dask scheduler, as a `concurrent.futures.Executor`."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import pickle
import platform
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, InvalidStateError
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import mtjchar
from mtjchar.errors import ClusterError, InputError, MissingToolError, MtjcharError, WorkerError
from mtjchar.sweep.peer import Address, check

__all__ = ["TlsFiles", "cluster", "workers_reported"]

T = TypeVar("T")

_CONNECT = 20.0  # s, for dask's client once a scheduler has answered
_CLOSE = 3.0  # s
_EVERY = 1.0  # s, between two checks of the scheduler
_SILENT = 45.0  # s that a scheduler may take to answer: a busy one takes some
_REMIND = 600.0  # s, between two messages that there is no worker
_KEPT = "Finished samples are kept. Run the same command to continue."
# A worker that cannot load its task dies of it, and so does the next one. All workers can load this text.
_DO = "__import__('pickle').loads(work)()"
_LOGGERS = (
    "distributed",
    "distributed.client",
    "distributed.gc",
    "tornado",
    "tornado.application",
    "asyncio",
)


class TlsFiles(NamedTuple):
    """PEM files for the connection to a cluster: its authority, and the client's certificate and key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@contextlib.contextmanager
def cluster(address: str, tls: TlsFiles | None = None) -> Iterator[Executor]:
    """Tasks on the workers of a dask scheduler, during a with block.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.
    tls : TlsFiles, optional
        For an address with ``tls://``.

    Raises
    ------
    InputError
        If no dask scheduler answers there, a file is wrong, or `mtjchar[cluster]` is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "--cluster", value=address, allowed="only with dask.distributed",
            remedy='Install it: pip install "mtjchar[cluster]".',
        ) from error  # fmt: skip
    place = Address.parse(address)
    context = _context(place, tls or TlsFiles())
    security = None
    if tls is not None and context is not None:
        security = distributed.Security(  # type: ignore[no-untyped-call]
            require_encryption=True,
            tls_ca_file=str(tls.ca),
            tls_client_cert=str(tls.certificate),
            tls_client_key=str(tls.key) if tls.key else None,
        )
    check(place, context)
    # mtjchar reports a lost scheduler itself; dask's messages would only repeat it.
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    client = _connected(place, security)
    executor = _ClusterExecutor(client, place)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)
        with contextlib.suppress(Exception):  # closing fails if the scheduler is gone or hangs
            client.close(timeout=_CLOSE)


def _context(address: Address, tls: TlsFiles) -> ssl.SSLContext | None:
    """Read the files for TLS; refuse them without it, and it without them."""
    options = {"--tls-ca": tls.ca, "--tls-cert": tls.certificate, "--tls-key": tls.key}
    given = {option: file for option, file in options.items() if file is not None}
    if address.scheme != "tls":
        for option, file in given.items():
            raise InputError(option, value=str(file), allowed="only with an address that begins with tls://")
        return None
    for option in ("--tls-ca", "--tls-cert"):
        if option not in given:
            raise InputError(
                option, value=None, allowed="a PEM file, for a tls:// address",
                remedy="dask wants the authority of the cluster's certificates and a certificate of it for "
                "whoever connects: --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem.",
            )  # fmt: skip
    for option, file in given.items():
        if not file.is_file():
            raise InputError(option, value=str(file), allowed="a PEM file that exists")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ValueError) as error:
        raise _no_pem("--tls-ca", tls.ca, "certificates", error) from None
    # As in dask: schedulers are addressed by numbers, and only the cluster's authority signs.
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        # dask would ask for a pass phrase repeatedly
        context.load_cert_chain(str(tls.certificate), tls.key, password="")
    except (OSError, ValueError) as error:
        what = "a certificate, and its key without a pass phrase (in --tls-key, or in the same file)"
        raise _no_pem("--tls-cert", tls.certificate, what, error) from None
    return context


def _no_pem(option: str, file: Path | None, what: str, error: Exception) -> InputError:
    reason = (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
    return InputError(
        option, value=str(file), allowed=f"a PEM file with {what}", remedy=f"OpenSSL: {reason}."
    )


def _connected(address: Address, security: Any) -> Any:
    """Make dask's client; in a thread, because it waits without limit for a silent scheduler."""
    import distributed

    made: Future[Any] = Future()

    def make() -> None:
        try:
            made.set_result(
                distributed.Client(  # type: ignore[no-untyped-call]
                    str(address), timeout=_CONNECT, set_as_default=False, security=security
                )
            )
        except Exception as error:
            made.set_exception(error)

    threading.Thread(target=make, daemon=True).start()
    try:
        return made.result(_CONNECT)
    except TimeoutError:
        words = f"A scheduler answers, but takes no client within {_CONNECT:g} s."
        raise address.refusal(words) from None
    except Exception as error:
        words = f"A scheduler answers, but takes no client: {_in_words(error)}."
        raise address.refusal(words) from error


class _ClusterExecutor(Executor):
    """An executor that waits for workers without limit, but not for a scheduler that is gone."""

    def __init__(self, client: Any, address: Address) -> None:
        self._client, self._address = client, address
        self._open: set[Future[Any]] = set()
        self._lost: ClusterError | None = None
        self._end = threading.Event()
        self.tell: Callable[[int, str], None] | None = None
        self._watch = threading.Thread(target=self._look_after, name="mtjchar-cluster", daemon=True)
        self._watch.start()

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function on any worker."""
        future: Future[T] = Future()
        self._open.add(future)
        if self._lost is None:
            try:
                work = pickle.dumps(_Call(function, args, kwargs))
                remote = self._client.submit(eval, _DO, {"work": work}, key=f"mtjchar-{uuid.uuid4()}")
                self._client.loop.add_callback(self._fetch, remote, future)
            except Exception as error:  # the client closes itself with its scheduler
                self._lose(_in_words(error))
        if self._lost is not None:
            self._settle(future, self._lost)
        return future

    async def _fetch(self, remote: Any, future: Future[Any]) -> None:
        try:
            value, error = await remote
        except concurrent.futures.CancelledError:
            self._lose("it broke the connection")
        except Exception as failure:
            self._settle(future, self._explained(failure))
        else:
            self._settle(future, error, value)

    def _explained(self, error: Exception) -> Exception:
        """Explain an error that was not raised by the call itself."""
        if type(error).__name__ == "KilledWorker":
            return error
        return ClusterError(
            f"A worker of {self._address} cannot do the work: {_in_words(error)}. Every worker needs the "
            f"versions that are here: Python {platform.python_version()}, mtjchar "
            f"{mtjchar.__version__} and all that it needs. {_KEPT}"
        )

    def _settle(self, future: Future[Any], error: Exception | None, value: object = None) -> None:
        self._open.discard(future)
        with contextlib.suppress(InvalidStateError):  # cancelled, or settled when the scheduler was lost
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def _lose(self, words: str) -> None:
        """Give up everything that waits for the scheduler."""
        if self._lost is None:
            self._lost = ClusterError(f"The dask scheduler {self._address} is lost: {words}. {_KEPT}")
        for future in tuple(self._open):
            self._settle(future, self._lost)

    def _look_after(self) -> None:
        """Watch the scheduler, and report when there is no worker, or when there is one again."""
        empty, reminded_at = None, 0.0  # s: since when there is no worker, and last message about it
        while not self._end.wait(_EVERY) and self._lost is None:
            try:
                ncores = self._client.scheduler.ncores
                count = len(self._client.sync(ncores, callback_timeout=_SILENT))
            except TimeoutError:
                self._lose(f"it has not answered for {_SILENT:g} s")
                return
            except Exception as error:
                self._lose(_in_words(error))
                return
            now = time.monotonic()
            if self.tell is None:
                continue
            if count == 0 and (empty is None or now - reminded_at > _REMIND):
                empty, reminded_at = empty or now, now
                self._tell(0, _waiting(now - empty))
            elif count > 0 and empty is not None:
                empty = None
                self._tell(count, f"workers: {count}")

    def _tell(self, count: int, words: str) -> None:
        # A write error is also raised in the sweep's own thread; this thread has to continue.
        with contextlib.suppress(Exception):
            if self.tell is not None:
                self.tell(count, words)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop watching the scheduler, which forgets the tasks of a client that leaves."""
        del wait, cancel_futures
        self._end.set()


def _waiting(seconds: float) -> str:
    so_far = f", for {seconds / 60.0:.0f} min so far" if seconds >= 60.0 else ""
    return f"waiting for workers (0){so_far}"


def _in_words(error: Exception) -> str:
    words = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {words}".rstrip(": .")


@contextlib.contextmanager
def workers_reported(executor: Executor, tell: Callable[[int, str], None]) -> Iterator[None]:
    """Report during a with block when a cluster has no worker, and when it has some again.

    Parameters
    ----------
    executor : Executor
        That of `cluster`; with any other executor nothing is reported.
    tell : callable
        Called in another thread with the number of workers and a message.
    """
    if not isinstance(executor, _ClusterExecutor):
        yield
        return
    executor.tell = tell
    try:
        yield
    finally:
        executor.tell = None


class _Call:
    """A call that returns its own errors: an exception then comes from dask, before or after the call."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function, self.args, self.kwargs, self.version = function, args, kwargs, mtjchar.__version__

    def __call__(self) -> tuple[Any, Exception | None]:
        if mtjchar.__version__ != self.version:
            return None, ClusterError(
                f"The worker on {platform.node()} has mtjchar {mtjchar.__version__}, here is {self.version}. "
                f"Install the same version on every worker. {_KEPT}"
            )
        try:
            return self.function(*self.args, **self.kwargs), None
        except MissingToolError as error:
            return None, MissingToolError(f"The worker on {platform.node()}: {error}")
        except MtjcharError as error:
            return None, error
        except Exception as error:
            return None, WorkerError.unknown(error)
