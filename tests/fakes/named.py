"""Correct, and named; unless the device is not there."""

import numpy as np

NAME, VERSION = "my-kernel", "1.0"
DEVICES, MODES = ("cpu", "cuda"), ("eager",)


def setup(device, mode):
    if device == "cuda":
        raise LookupError("no cuda device")


def softmax(x, axis):
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
