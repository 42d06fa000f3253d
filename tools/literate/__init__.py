"""The package `sxlit` as the notebooks of the book export it, with nbdev's directives.

They stand above the code of a cell, and say what goes where:

    #| default_exp rows     this notebook fills sxlit/rows.py (a cell of its own)
    #| export               the cell goes there, and its names into `__all__`
    #| exporti              the cell goes there, and its names stay internal
    #| export bounds        the cell goes to sxlit/bounds.py

The docstring of a notebook's default module is the `> summary` below its `# Title`.
A module that is nobody's default has its docstring in a cell of its own: an exported
cell that is one bare string is put on top of its module, wherever it stands.

A module belongs to one notebook, save those in SHARED, which grow chapter by chapter
in the order of the file names. `sxlit/__init__.py` is written by hand and never
touched. Cells are copied as they are, imports included: a module's text below the
comment `# %% ../book/NOTEBOOK #CELL` is the text of that cell, to the letter.
"""

PACKAGE, BOOK = "sxlit", "book"
SHARED = frozenset({"bounds"})
