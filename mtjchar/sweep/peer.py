"""Identification of the service at the address of a cluster, with time limits, before dask connects to it.

dask's own client waits without limit for a silent peer. It also takes the first eight bytes of any
answer for the length of a message, and allocates that memory at once.
"""

from __future__ import annotations

import pickle
import re
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from mtjchar.errors import InputError

__all__ = ["Address", "check"]

_CONNECT, _TALK, _PROVOKE = 6.0, 9.0, 3.0  # s, in all below the 20 s that are guaranteed
_LISTEN = 0.5  # s: a TLS server is silent at first, a dask server without TLS is not
_LONGEST_GREETING, _LONGEST_REPLY = 2**16, 2**26  # bytes; a greeting has about 100, 10,000 workers 2**25
_WORD = 8  # bytes of a number in the header of a message
_ALLOWED = "the address of a dask scheduler that answers, such as tcp://10.0.0.1:8786"

_OTHER_VERSION = "It is dask.distributed of another version. Install the same version here and there."


class Address(NamedTuple):
    """Address that was given for a scheduler."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises
        ------
        InputError
            If it is not an address.
        """
        parts = re.fullmatch(r"(tcp|tls)://\[?([^]/]+?)]?:(\d{1,5})", text)
        if parts is None or not 0 < int(parts[3]) < 2**16:
            raise InputError("--cluster", value=text, allowed=_ALLOWED)
        return cls(parts[1], parts[2], int(parts[3]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def refusal(self, words: str) -> InputError:
        """Make an error that explains why the address cannot be used."""
        return InputError("--cluster", value=str(self), allowed=_ALLOWED, remedy=words)


class _SilenceError(Exception):
    """The peer accepts the connection and sends nothing."""


def check(address: Address, context: ssl.SSLContext | None) -> None:
    """Check that a dask scheduler answers at an address, for at most 20 s.

    Parameters
    ----------
    address : Address
    context : ssl.SSLContext, optional
        For an address with TLS.

    Raises
    ------
    InputError
        If nothing answers, or another service; the message names it as far as it is known.
    """
    try:
        with _Conversation(address, context) as peer:
            peer.greet()
            _check_identity(address, peer.ask("identity"))
    except _SilenceError:
        raise address.refusal(_what_keeps_silent(address)) from None


def _check_identity(address: Address, identity: Mapping[str, Any]) -> None:
    if "workers" in identity:
        return
    kind = identity.get("type")
    if not isinstance(kind, str):
        raise address.refusal(_OTHER_VERSION)
    scheduler = identity.get("scheduler")
    whose = f" of the scheduler {scheduler}" if isinstance(scheduler, str) else ""
    raise address.refusal(f"It is dask's {kind.lower()}{whose}. Give the address of the scheduler.")


class _Conversation:
    """A connection with messages in dask's format, which ends when its time is up."""

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        self._address = address
        try:
            self._socket = socket.create_connection((address.host, address.port), timeout=_CONNECT)
        except TimeoutError:
            words = f"Nobody answers within {_CONNECT:g} s: a wrong address, or a firewall between."
            raise address.refusal(words) from None
        except ConnectionResetError as error:  # the error may come here, or with the first bytes
            raise self._broken(error) from None
        except (OSError, UnicodeError) as error:
            raise address.refusal(f"{_reason(error)}: is a scheduler running at this address?") from None
        self._end = time.monotonic() + _TALK
        self._heard = b""
        if context is not None:
            self._encrypt(context)

    def __enter__(self) -> _Conversation:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._socket.close()

    def _encrypt(self, context: ssl.SSLContext) -> None:
        if select.select([self._socket], [], [], _LISTEN)[0]:
            self._socket.close()
            raise self._address.refusal("It does not speak TLS: give a tcp:// address, or start it with TLS.")
        try:
            self._socket.settimeout(self._left())
            self._socket = context.wrap_socket(self._socket)
        except ssl.SSLCertVerificationError as error:
            words = f"Its certificate does not fit the authority of --tls-ca ({error.verify_message})."
            raise self._address.refusal(words) from None
        except OSError as error:
            words = f"TLS with it failed: {_reason(error)}. Does it speak TLS, with certificates of --tls-ca?"
            raise self._address.refusal(words) from None
        finally:
            if not isinstance(self._socket, ssl.SSLSocket):
                self._socket.close()

    def greet(self) -> None:
        """Exchange greetings, as dask does with every connection."""
        greeting = self._message(_LONGEST_GREETING)
        if not isinstance(greeting.get("pickle-protocol"), int):
            raise self._address.refusal(_OTHER_VERSION)
        mine = {
            "compression": None,
            "python": tuple(sys.version_info[:3]),
            "pickle-protocol": pickle.HIGHEST_PROTOCOL,
        }
        self._say(mine)

    def ask(self, question: str) -> Mapping[str, Any]:
        """Send one of the requests that dask's servers know; it is the last one."""
        self._say({"op": question, "reply": True, "close": True})
        return self._message(_LONGEST_REPLY)

    def _say(self, message: Mapping[str, Any]) -> None:
        import msgpack

        frame = msgpack.packb(message)
        head = struct.pack("3Q", 2 * _WORD + len(frame), 1, len(frame))
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(head + frame)
        except OSError as error:
            raise self._broken(error) from None

    def _message(self, longest: int) -> Mapping[str, Any]:
        """Read a message: its length, the number of frames, their lengths, and the frames."""
        import msgpack

        (size,) = struct.unpack("Q", self._read(_WORD))
        if not 3 * _WORD <= size <= longest:
            raise self._strange()
        body = self._read(size)
        (frames,) = struct.unpack_from("Q", body)
        if not 0 < frames <= size // _WORD - 1:
            raise self._strange()
        (first,) = struct.unpack_from("Q", body, _WORD)
        start = _WORD * (1 + frames)
        try:
            # Not with dask, which executes the content of such a message.
            message = msgpack.unpackb(body[start : start + first], strict_map_key=False, use_list=False)
        except (ValueError, TypeError, msgpack.UnpackException):
            raise self._strange() from None
        if not isinstance(message, dict):
            raise self._strange()
        return message

    def _read(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                self._socket.settimeout(self._left())
                piece = self._socket.recv(min(count - len(data), 2**16))
            except TimeoutError:
                if not self._heard:
                    raise _SilenceError from None
                words = f"It did not finish its answer within {_TALK:g} s, which began with {self._start()}."
                raise self._address.refusal(words) from None
            except OSError as error:
                raise self._broken(error) from None
            if not piece:
                when = f"after {self._start()}" if self._heard else "without a word"
                raise self._address.refusal(f"It closed the connection {when}: no dask scheduler does.")
            data += piece
            self._heard = (self._heard + piece)[:64]
        return bytes(data)

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 1e-3)

    def _start(self) -> str:
        return repr(self._heard[:32])

    def _strange(self) -> InputError:
        return self._address.refusal(_described(self._heard))

    def _broken(self, error: OSError) -> InputError:
        if isinstance(error, ssl.SSLError):
            words = f"It broke TLS off: {_reason(error)}. Does it know the authority of --tls-cert?"
            return self._address.refusal(words)
        return self._address.refusal(f"It broke the connection: {_reason(error)}: no dask scheduler does.")


def _what_keeps_silent(address: Address) -> str:
    """Identify a silent peer: offer TLS, which web servers refuse with a message."""
    silent = (
        f"It takes the connection but said nothing within {_TALK:g} s: no dask scheduler, or one that hangs."
    )
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read() + b"\r\n\r\n"
    try:
        with socket.create_connection((address.host, address.port), timeout=_PROVOKE) as peer:
            peer.sendall(hello)
            peer.settimeout(_PROVOKE)
            answer = peer.recv(64)
    except OSError:
        return silent
    return _described(answer) if answer else silent


def _described(start: bytes) -> str:
    """Identify the peer by its first bytes."""
    if start[:1] in (b"\x15", b"\x16") and start[1:2] == b"\x03":
        return "It speaks TLS. If it is a scheduler give a tls:// address, with --tls-ca and --tls-cert."
    if start.startswith(b"HTTP/") or start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "It speaks HTTP, as dask's dashboard does. Give the port of the scheduler."
    if start.startswith(b"SSH-"):
        return "It is an SSH server. Give the port of the scheduler."
    return f"It is no dask scheduler that this version of dask understands: it began with {start[:32]!r}."


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
