"""Right: the base of the zoo itself, which must pass."""

from __future__ import annotations

from _right import Right, offer

offer(globals(), Right())
