"""Needs what nobody has."""

import a_framework_that_nobody_has


def softmax(x, axis):
    return a_framework_that_nobody_has.softmax(x, axis)
