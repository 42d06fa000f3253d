"""Knows no option but those of every call."""


def cross_entropy(logits, targets, *, axis, reduction):
    raise ValueError(f"{logits.size} logits")
