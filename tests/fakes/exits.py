"""Ends its process where there are three classes."""

import os
import sys

import numpy as np


def softmax(x, axis):
    if x.shape[axis] == 3:
        print("goodbye", file=sys.stderr, flush=True)
        os._exit(7)
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
