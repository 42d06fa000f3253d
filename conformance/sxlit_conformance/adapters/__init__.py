"""The frameworks that ship with the suite: one small file each, run in its own process.

Nothing here is imported by the suite itself, and a file imports its framework only when
it is set up. A third party's adapter looks the same: see conformance/README.md.
"""
