"""Is interrupted, out of memory or in too deep: by the number of classes."""

import numpy as np


def softmax(x, axis):
    if x.shape[axis] == 2:
        raise KeyboardInterrupt
    if x.shape[axis] == 3:
        raise MemoryError("no room")
    if x.shape[axis] == 4:
        return softmax(x, axis)
    return np.full_like(x, 1 / x.shape[axis])
