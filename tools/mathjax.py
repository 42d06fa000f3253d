"""Fetch MathJax from the npm registry into book/_static/mathjax.

    python tools/mathjax.py

The result is committed: a build needs no network, a reader of the book needs none
either. Run it again only to change the version; npm must be installed.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.2.2"
SHA512 = (  # as the registry publishes it
    "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/"
    "O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=="
)
TARGET = Path(__file__).resolve().parent.parent / "book" / "_static" / "mathjax"

# The full component holds all TeX extensions, so that no macro loads one later.
FILES = {
    "package/LICENSE": "LICENSE",
    "package/es5/tex-chtml-full.js": "tex-chtml-full.js",
}
FONTS = "package/es5/output/chtml/fonts/woff-v2/"


def unpack(archive: Path, target: Path) -> None:
    """Take the script, the fonts and the licence out of npm's archive."""
    with tarfile.open(archive) as package:
        for member in package:
            name = FILES.get(member.name)
            if member.name.startswith(FONTS):
                name = member.name.removeprefix("package/es5/")
            content = package.extractfile(member) if name else None
            if name and content:
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())


def main() -> int:
    """Replace book/_static/mathjax by the pinned version."""
    npm = shutil.which("npm")
    if npm is None:
        print("tools/mathjax.py needs npm, which is not on PATH", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [npm, "pack", "--silent", f"mathjax@{VERSION}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        archive = Path(folder) / f"mathjax-{VERSION}.tgz"
        digest = base64.b64encode(
            hashlib.sha512(archive.read_bytes()).digest()
        ).decode()
        if digest != SHA512:
            print(
                f"mathjax@{VERSION} from npm has sha512 {digest}, expected {SHA512}; "
                "nothing was changed",
                file=sys.stderr,
            )
            return 1
        shutil.rmtree(TARGET, ignore_errors=True)
        unpack(archive, TARGET)
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"MathJax {VERSION} in {TARGET} ({size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
