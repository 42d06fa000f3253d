"""Raises SystemExit at a call; Python would end quietly."""


def softmax(x, axis):
    raise SystemExit("not today")
