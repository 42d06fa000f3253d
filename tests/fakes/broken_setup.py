"""Confuses a mistake of its own with a missing device."""


def setup(device, mode):
    {}["device"]


def softmax(x, axis):
    return x
