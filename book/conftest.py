"""Notebooks under nbval: a kernel that dies while it starts is started again.

It was seen once, and not reproduced. The likely cause: Jupyter looks for free ports and
closes them before the kernel opens them, and something else, such as a second worker's
kernel, takes one meanwhile. A kernel that is only slow is not started again.
"""

from __future__ import annotations

import tempfile
from typing import IO, Any

from nbval import kernel

ATTEMPTS = 3
start_once = kernel.start_new_kernel


def start(*, stderr: IO[str], **options: Any) -> Any:
    """Start a kernel as nbval asks for it, and another one where it dies at once.

    Raises:
        RuntimeError: with what the last kernel said, after `ATTEMPTS` of them.
    """
    stderr.close()  # the null device: nobody would hear why a kernel died
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            try:
                return start_once(stderr=said, **options)
            except RuntimeError as death:
                if "died" not in str(death):
                    raise
                said.seek(0)
                words = said.read().strip()[-2000:] or "nothing"
                message = f"{death}; kernel {attempt} of {ATTEMPTS} said: {words}"
                print(message)
    raise RuntimeError(message)


kernel.start_new_kernel = start
