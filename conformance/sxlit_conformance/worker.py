"""The child process: one adapter, requests on stdin, answers on stdout.

It sees input bits and never an expectation. It needs the standard library, NumPy and
the adapter's own framework; the suite itself need not be installed here.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sxlit_conformance import wire
from sxlit_conformance.operations import OPERATIONS, Operation

_DECLARED = ("ACCUMULATES_IN", "SUM_HEIGHT", "EXP_ULP", "LOG_ULP", "LOG1P_ULP")


def main(location: str, budget: str) -> None:
    """Serve the adapter at `location`: "module:NAME" or "file:PATH"."""
    # The adapter, and the C code below it, may print: it gets stderr for a stdout,
    # and an empty stdin, before its first line runs.
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def say(message: Mapping[str, Any]) -> None:
        answers.write(wire.pack(dict(message)))
        answers.flush()

    try:
        adapter = _load(location)
        hello = _hello(adapter)
    except BaseException as error:
        say({"broken": _explain(error, location)})
        return
    say({"hello": wire.PROTOCOL, **hello})
    _serve(adapter, location, requests, say, int(budget))


def _serve(
    adapter: ModuleType,
    location: str,
    requests: BinaryIO,
    say: Callable[[Mapping[str, Any]], None],
    budget: int,
) -> None:
    for line in requests:
        request = wire.unpack(line)
        if "setup" in request:
            device, mode = request["setup"]
            try:
                if hasattr(adapter, "setup"):
                    adapter.setup(device, mode)
                ready = _environment(adapter, device)
            except BaseException as error:
                # A missing device is a LookupError itself: a KeyError is a mistake.
                if type(error) is LookupError:
                    say({"absent": _line(error)})
                else:
                    say({"broken": _explain(error, location)})
                return
            if device == "cpu":
                _limit_memory(budget)
            say({"ready": ready})
        else:
            say({"id": request["id"], **_answer(adapter, request)})


def _load(location: str) -> ModuleType:
    kind, _, name = location.partition(":")
    if kind == "module":
        return importlib.import_module(name)
    path = Path(name)
    spec = importlib.util.spec_from_file_location(
        "sxlit_adapter_" + path.stem.replace("-", "_"), path
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    # At the end, so that a file called torch.py does not stand before torch.
    sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _hello(adapter: ModuleType) -> dict[str, Any]:
    def names(attribute: str, default: tuple[str, ...]) -> list[str]:
        value = getattr(adapter, attribute, default)
        if isinstance(value, str) or not all(isinstance(v, str) for v in value):
            raise TypeError(f"{attribute}: expected a tuple of names, got {value!r}")
        return list(value)

    offered = [name for name in OPERATIONS if callable(getattr(adapter, name, None))]
    for name in offered:
        _check_signature(getattr(adapter, name), OPERATIONS[name])
    return {
        "name": str(getattr(adapter, "NAME", "")),
        "dtypes": names("DTYPES", ("float32", "float64")),
        "devices": names("DEVICES", ("cpu",)),
        "modes": names("MODES", ("eager",)),
        "operations": offered,
        "semantics": str(getattr(adapter, "SEMANTICS", "sxlit")),
        "flushes_subnormals": bool(getattr(adapter, "FLUSHES_SUBNORMALS", False)),
        "numerics": {
            name: getattr(adapter, name)
            for name in _DECLARED
            if isinstance(getattr(adapter, name, None), str | int | float)
        },
    }


def _check_signature(function: Callable[..., Any], operation: Operation) -> None:
    """A function that no question fits would raise at each, and pass the refusals."""
    try:
        # A wrapper is what will be called, whatever it wraps.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # C code often has none
        return
    try:
        signature.bind(*operation.arguments, **operation.options)
    except TypeError as error:
        words = ", ".join([*operation.arguments, *operation.options])
        raise TypeError(
            f"expected {operation.name}({words}), with the options by keyword and a "
            f"default for any other; got {operation.name}{signature}: {error}"
        ) from None


def _not_taken(function: Callable[..., Any], options: Mapping[str, Any]) -> list[str]:
    """The options that a function has no keyword for."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # C code often has none
        return []
    parameters = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return []
    return [name for name in options if name not in signature.parameters]


def _environment(adapter: ModuleType, device: str) -> dict[str, Any]:
    return {
        "name": str(getattr(adapter, "NAME", "")),
        "version": str(getattr(adapter, "VERSION", "")),
        "companions": dict(getattr(adapter, "COMPANIONS", {})),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{platform.system()}-{platform.machine()}",
        "processor": _processor(),
        "accelerator": "" if device == "cpu" else _accelerator(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _accelerator() -> str:
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(
            query, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    name, _, driver = found.stdout.partition("\n")[0].partition(", ")
    return f"{name}, driver {driver}"


def _limit_memory(budget: int) -> None:
    """Allow `budget` bytes more than now, where the system can count them."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + budget
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _answer(adapter: ModuleType, request: Mapping[str, Any]) -> dict[str, Any]:
    function = getattr(adapter, request["operation"], None)
    if not callable(function):
        return {"kind": "not offered"}

    def array(message: dict[str, Any]) -> NDArray[Any]:
        return wire.arrange(wire.decode(message), request["layout"])

    arguments = [array(message) for message in request["arguments"]]
    named = {name: array(message) for name, message in request["named"].items()}
    options = {**named, **request["options"]}
    if missing := _not_taken(function, options):
        return {"kind": "unsupported", "message": f"takes no {', '.join(missing)}"}
    arrays = [*arguments, *named.values()]
    before = [array.tobytes() for array in arrays]
    start = time.perf_counter()
    try:
        result = _result(function(*arguments, **options))
    except NotImplementedError as error:
        result = {"kind": "unsupported", "message": _line(error)}
    except BaseException as error:
        name, said = type(error).__name__, _line(error)
        if _is_refusal(error):
            result = {"kind": "raised", "error": name, "message": said}
        else:
            result = {"kind": "crashed", "message": f"{name}: {said}".rstrip(": ")}
    result["seconds"] = time.perf_counter() - start
    result["mutated"] = any(
        array.tobytes() != bits for array, bits in zip(arrays, before, strict=True)
    )
    return result


def _is_refusal(error: BaseException) -> bool:
    """Whether it can be an answer: to run out of memory or to leave is none."""
    return isinstance(error, Exception) and not isinstance(
        error, MemoryError | RecursionError
    )


def _result(value: Any) -> dict[str, Any]:
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.name not in wire.DTYPES:
        found = f"{type(value).__name__} (dtype {array.dtype})"
        return {"kind": "answered", "array": None, "message": f"returned {found}"}
    return {"kind": "answered", "array": wire.encode(array)}


def _line(error: BaseException) -> str:
    """The error's text without the traceback that some frameworks quote in it.

    A record is for everybody, and file names are of one machine.
    """
    said, _, _ = str(error).partition("(most recent call last)")
    return " ".join(said.split())[:300]


def _explain(error: BaseException, location: str) -> dict[str, Any]:
    """Why the adapter could not start, with the line of its file that is to blame."""
    kind, _, name = location.partition(":")
    suffix = name if kind == "file" else f"/{name.replace('.', '/')}.py"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.endswith(suffix)]
    file, number = (own[-1].filename, own[-1].lineno or 0) if own else ("", 0)
    if isinstance(error, SyntaxError):
        file, number = error.filename or "", error.lineno or 0
    missing = ""
    if isinstance(error, ModuleNotFoundError):
        missing = error.name or ""
    return {
        "error": type(error).__name__,
        "message": _line(error),
        "missing": missing,
        "file": file,
        "line": number,
    }
