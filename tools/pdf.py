"""Print the book: one long page by Sphinx, put on paper by a headless Chromium.

    python tools/pdf.py

Needs a Chromium: `SXLIT_CHROMIUM` names its executable, otherwise PATH is searched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from book import BUILT, BookError, build, generate

PDF = BUILT / "sxlit.pdf"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
    "--virtual-time-budget=120000",  # MathJax sets some thousand formulas first
)


def chromium() -> str:
    """The browser that prints."""
    named = os.environ.get("SXLIT_CHROMIUM")
    found = next(filter(None, map(shutil.which, (named,) if named else NAMES)), None)
    if found is None:
        raise BookError(
            f"expected a Chromium ({named or ', '.join(NAMES)}), found none: install "
            "it (Debian: apt install chromium) or set SXLIT_CHROMIUM"
        )
    return found


def paper(browser: str, page: Path, target: Path) -> None:
    """Print one page into a file."""
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}"]
        done = subprocess.run(
            [*command, f"--print-to-pdf={target}", page.as_uri()],
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
    if done.returncode or not target.is_file():
        raise BookError(f"{browser} printed nothing: {done.stderr.strip()[-500:]}")


def main() -> int:
    """Build the single page and print it."""
    try:
        browser = chromium()
        generate()
        paper(browser, build("singlehtml"), PDF)
    except BookError as error:
        print(f"tools/pdf.py: {error}", file=sys.stderr)
        return 1
    print(f"The book on paper: {PDF} ({PDF.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
