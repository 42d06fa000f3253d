"""Names the axis as others do, so that every call is a TypeError."""

import numpy as np


def softmax(x, dim):
    shifted = np.exp(x - x.max(axis=dim, keepdims=True))
    return shifted / shifted.sum(axis=dim, keepdims=True)
