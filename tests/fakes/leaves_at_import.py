"""Raises SystemExit at import."""

raise SystemExit("not today")
