"""Right, in the short formats: computed in float32, and rounded once."""

from __future__ import annotations

from _right import Right
from _short import offer_short

offer_short(globals(), Right())
