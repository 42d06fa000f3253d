"""Right, but computed in the caller's array."""

import numpy as np


def softmax(x, axis):
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    return x / x.sum(axis=axis, keepdims=True)
