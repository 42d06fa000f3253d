"""No adapter but a whole worker, which says what is no message."""

import sys

print("good morning", flush=True)
sys.stdin.read()
