"""Right, behind callables of which Python knows no signature, or a wrapped one's."""

import functools

import numpy as np


def rows(x):
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


class Kernel:
    __signature__ = "none"

    def __call__(self, x, axis):
        return rows(x)


softmax = Kernel()


@functools.wraps(rows)
def log_softmax(x, axis):
    return np.log(rows(x))
