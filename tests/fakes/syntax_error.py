"""Is no Python."""

def softmax(x, axis)
    return x
