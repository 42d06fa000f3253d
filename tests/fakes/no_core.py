"""Offers a derivative, and nothing that it is the derivative of."""


def softmax_vjp(x, g, axis):
    return x
