"""Texts as `ruff format` writes them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path


def formatted(texts: Sequence[str], root: Path) -> list[str]:
    """Each text, formatted with the repository's settings."""
    config = root / "pyproject.toml"
    settings = ["--config", str(config)] if config.exists() else ["--isolated"]
    command = [sys.executable, "-m", "ruff", "format", "--no-cache", "--quiet"]
    command += ["--no-force-exclude", *settings]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"text_{number}.py" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [*command, *map(str, files)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"ruff format failed: {done.stderr.strip()}")
        return [file.read_text(encoding="utf-8") for file in files]
