"""Without the first row."""

import numpy as np


def softmax(x, axis):
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return (shifted / shifted.sum(axis=axis, keepdims=True))[1:]
