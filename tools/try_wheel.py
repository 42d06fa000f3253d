"""Import both packages from where they are installed, and use them once.

`nox -s build` runs this in an empty environment, outside the checkout, which it is
given as its argument in order to prove that nothing is imported from there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sxlit
import sxlit_conformance
from sxlit_conformance import cli


def main(checkout: Path) -> int:
    """Return the exit status: 0 if both packages are the installed ones and work."""
    for package in (sxlit, sxlit_conformance):
        where = Path(str(package.__file__)).resolve()
        if where.is_relative_to(checkout):
            print(f"{package.__name__} was imported from the checkout: {where}")
            return 1
    if sxlit.cross_entropy([[20.0, 0.0, 0.0]], [0]) == 0.0:
        print("sxlit.cross_entropy([[20, 0, 0]], [0]) is 0, expected 4.1e-9")
        return 1
    status = cli.main(["run", "sxlit", "-k", "softmax and gap", "--grade", "hra"])
    if status == 0:
        print(f"sxlit {sxlit.__version__} works from its wheel")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
