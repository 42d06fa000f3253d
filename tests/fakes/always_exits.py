"""Ends its process whatever it is asked."""

import os


def softmax(x, axis):
    os._exit(3)
