"""The runner's side of a worker: spawn it, talk to it, and never wait for ever."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sxlit_conformance import wire
from sxlit_conformance.model import Kind

_TAIL = 4000  # characters of stderr that are kept

# Builds the package from the place of its files, so that the interpreter needs no
# installation of it. The working directory goes from the front of the path to its
# end: a file there must not stand before the framework that it is named after.
_BOOTSTRAP = """
import importlib.util, sys
if sys.path and sys.path[0] == "": sys.path.append(sys.path.pop(0))
home, *arguments = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "sxlit_conformance", home + "/__init__.py", submodule_search_locations=[home])
package = importlib.util.module_from_spec(spec)
sys.modules["sxlit_conformance"] = package
spec.loader.exec_module(package)
from sxlit_conformance import worker
worker.main(*arguments)
"""


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds for a case and for its start, bytes above it."""

    case: float = 60.0
    start: float = 300.0
    memory: int = 8 << 30
    crashes: int = 5  # in a row, before an operation is given up


class LostError(Exception):
    """The worker is gone; `kind` says how."""

    def __init__(self, kind: Kind, message: str, stderr: str) -> None:
        super().__init__(message)
        self.kind, self.message, self.stderr = kind, message, stderr


class Process:
    """One worker; leaving the context ends it and everything that it started."""

    def __init__(self, interpreter: str, location: str, limits: Limits) -> None:
        home = str(Path(__file__).resolve().parent)
        arguments = [home, location, str(limits.memory)]
        self._child = subprocess.Popen(
            [interpreter, "-c", _BOOTSTRAP, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._stdin = self._child.stdin.fileno()
        self._stdout = self._child.stdout.fileno()
        self._stderr = self._child.stderr.fileno()
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe, False)
        self._read = b""
        self._said = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def stderr(self) -> str:
        """The end of what was printed since the last question."""
        return self._said.decode("utf-8", "replace")

    def hear(self, seconds: float) -> dict[str, Any]:
        """The next message."""
        return self._exchange(b"", seconds)

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The message that answers this one."""
        self._said = b""
        return self._exchange(wire.pack(dict(message)), seconds)

    def kill(self) -> None:
        """Kill the worker and its children; harmless when it is gone already.

        Whoever waits for its answer in another thread hears that it is lost.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the worker, wait until it is gone, and close its streams."""
        self.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _exchange(self, out: bytes, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            selector.register(self._stderr, selectors.EVENT_READ)
            if out:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while b"\n" not in self._read:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._lost("timed out", f"no answer within {seconds:g} s")
                for key, _ in selector.select(left):
                    if key.fd == self._stdin:
                        out = self._write(out)
                        if not out:
                            selector.unregister(self._stdin)
                    elif key.fd == self._stderr:
                        if not self._drain():
                            selector.unregister(self._stderr)
                    else:
                        chunk = _read(self._stdout)
                        if chunk == b"":
                            raise self._lost("crashed", self._death())
                        self._read += chunk or b""
        line, self._read = self._read.split(b"\n", 1)
        try:
            return wire.unpack(line)
        except ValueError:
            text = f"what it said is no message: {line[:60]!r}"
            raise self._lost("crashed", text) from None

    def _write(self, out: bytes) -> bytes:
        try:
            return out[os.write(self._stdin, out) :]
        except BlockingIOError:
            return out
        except BrokenPipeError:  # it is gone; reading will say how
            return b""

    def _drain(self) -> bool:
        chunk = _read(self._stderr)
        self._said = (self._said + (chunk or b""))[-_TAIL:]
        return chunk != b""

    def _death(self) -> str:
        try:
            code = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its answers and stayed"
        if code >= 0:
            return f"ended with exit status {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def _lost(self, kind: Kind, message: str) -> LostError:
        while (chunk := _read(self._stderr)) not in (None, b""):
            self._said = (self._said + (chunk or b""))[-_TAIL:]
        self.end()
        return LostError(kind, message, self.stderr)


def _read(pipe: int) -> bytes | None:
    """What is there now; None where nothing is, and nothing left where it is shut."""
    try:
        return os.read(pipe, 1 << 20)
    except BlockingIOError:
        return None
