"""What was once enclosed, kept under the hash of its question and of the oracle."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flint
import numpy as np

from sxlit_conformance.model import Array, Reference


def cache_directory() -> Path:
    chosen = os.environ.get("SXLIT_ORACLE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "sxlit-conformance"


# The oracle's own text, every file beside this one, is its version: no edit can leave
# stale values behind.
SOURCES = sorted(Path(__file__).parent.glob("*.py"))
VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in SOURCES) + flint.__version__.encode()
).digest()


def digest(
    operation: str, arguments: Mapping[str, Array], options: Mapping[str, Any]
) -> str:
    """The content hash of a question: equal bits, shapes, dtypes and options."""
    sha = hashlib.sha256(VERSION)
    sha.update(json.dumps([operation, dict(options)], sort_keys=True).encode())
    for name, value in arguments.items():
        array = np.asarray(value)
        native = array.astype(array.dtype.newbyteorder("="), order="C")
        sha.update(f"|{name}|{native.dtype.name}|{native.shape}|".encode())
        sha.update(native.tobytes())
    return sha.hexdigest()


def load(path: Path) -> Reference | None:
    """What the cache holds; nothing, where the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as parts:
            hi, lo = parts["hi"], parts["lo"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return Reference(hi, lo)


def save(path: Path, value: Reference) -> None:
    """Write under another name and rename: a reader sees all of a file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=".", suffix=".part", delete=False
        ) as file:
            np.savez(file, hi=value.hi, lo=value.lo)
        os.replace(file.name, path)
    except OSError as error:
        warnings.warn(
            f"the oracle's cache cannot be written, so every run computes anew: "
            f"{error}; set SXLIT_ORACLE_CACHE to a folder that can",
            RuntimeWarning,
            stacklevel=3,
        )
