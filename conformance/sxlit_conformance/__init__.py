"""The conformance suite of sxlit. Importing it imports nothing else."""

__version__ = "0.1.0"
