"""`python -m sxlit_conformance` is `sxlit-conformance`."""

import sys

from sxlit_conformance.cli import main

sys.exit(main())
