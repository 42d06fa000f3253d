"""Returns nothing at all."""


def softmax(x, axis):
    return None
