"""Prints whenever it can, by Python, by file descriptor, and by a child; reads too."""

import os
import subprocess
import sys

import numpy as np

print('{"hello": 99}')
os.write(1, b"a line of C\n")


def setup(device, mode):
    print("setting up", device, mode)
    assert sys.stdin.read() == ""


def softmax(x, axis):
    print('{"id": 1, "kind": "answered"}', flush=True)
    os.write(1, b"no end of line")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    sys.stderr.write("x" * 1_000_000)
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)
