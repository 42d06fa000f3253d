"""A module's text, trace comment by trace comment, and where it differs on disk."""

from __future__ import annotations

import re
from itertools import zip_longest

TRACE = re.compile(r"# %% (.+) #(\S+)")


def drift(file: str, want: str, have: bytes) -> list[str]:
    """One problem for each cell that differs; none, if no byte does."""
    if have == want.encode():
        return []
    text = have.decode("utf-8", "backslashreplace")
    wanted, found = sections(want), sections(text)
    problems = []
    for trace, (_, body) in wanted.items():
        if trace not in found:
            what = "the module lacks this cell"
            problems.append(f"{file} ({place(trace, want)}): {what}")
        elif found[trace][1] != body:
            start, other = found[trace]
            number, left, right = first_difference(body, other)
            what = f"the notebook says {left!r}, the module {right!r}"
            where = f"{file}:{start + number}"
            problems.append(f"{where} ({place(trace, want)}): {what}")
    for trace, (start, _) in found.items():
        if trace not in wanted:
            what = "in the module, but not exported"
            problems.append(f"{file}:{start - 1} ({place(trace, want)}): {what}")
    if not problems:  # blank lines between cells, the order of the cells, line ends
        number, left, right = first_difference(want, text)
        where = f"{file}:{number + 1} ({place_of_line(want, number + 1)})"
        problems.append(f"{where}: the export has {left!r}, the module {right!r}")
    return problems


def first_difference(want: str, have: str) -> tuple[int, str, str]:
    """The number, from 0, of the first line that differs, and that line in both."""
    pairs = list(zip_longest(want.split("\n"), have.split("\n"), fillvalue=""))
    different = ((n, a, b) for n, (a, b) in enumerate(pairs) if a != b)
    return next(different, (len(pairs) - 1, "", ""))


def sections(text: str) -> dict[str, tuple[int, str]]:
    """Under each trace comment, its first line's number and its text; '' is the top."""
    found: dict[str, tuple[int, str]] = {}
    trace, start, lines = "", 1, list[str]()
    for number, line in enumerate([*text.split("\n"), "# %% end #0"], start=1):
        if TRACE.fullmatch(line):
            found[trace] = (start, "\n".join(lines).strip("\n"))
            trace, start, lines = line, number + 1, []
        else:
            lines.append(line)
    return found


def place(trace: str, text: str) -> str:
    """In words, the cell that a trace comment in a module's text speaks of."""
    match = TRACE.fullmatch(trace)
    if match is None:
        first = re.search(r"^# %% \.\./(.+) #", text, flags=re.MULTILINE)
        return f"the title cell of {first[1]}, or the header" if first else "the header"
    notebook = match[1].removeprefix("../")
    return "the generated __all__" if notebook == "auto" else f"{notebook} #{match[2]}"


def place_of_line(text: str, number: int) -> str:
    above = [trace for trace, (start, _) in sections(text).items() if start <= number]
    return place(above[-1], text)
