"""A snippet that stands alone and shows what an adapter answers, and what is true."""

from __future__ import annotations

import ast
import base64
import inspect
import textwrap
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from sxlit_conformance import corpus, exact, wire
from sxlit_conformance.model import Array, Claim, Reference, Source, Tolerance
from sxlit_conformance.operations import OPERATIONS

_LITERAL = 64  # numbers that are spelled out, before runs or compression


class ReproError(Exception):
    """An adapter that a snippet cannot hold; the message is one line."""


def snippet(
    claim: Claim,
    arguments: Mapping[str, Array],
    adapter: str,
    source: str,
    truth: tuple[Reference, Tolerance] | None,
    at: tuple[int, ...] = (),
    meanings: Mapping[str, Reference] | None = None,
) -> str:
    """A Python program without the suite; `source` is the adapter's file.

    `truth` is missing where a contract accepts no number at all; with `at` only that
    element of it is held. `meanings` are the candidates of a survey.
    """
    case = claim.case
    head = [f"{case.id}, {claim.dtype}, {claim.device}, {claim.mode}: {adapter}"]
    head += [*textwrap.wrap(case.why, 84), *textwrap.wrap(f"Source: {case.source}", 84)]
    comment = "\n".join(f"# {line}" for line in head)
    code, defined = inline(source, case.operation)
    given = _given(claim, arguments)
    given += "\n\n" + _truth(*truth, at) if truth else ""
    long = "packed(" in given
    imports = "import base64\nimport zlib\n\n" * long + "import numpy as np"
    parts = [comment + "\nfrom __future__ import annotations", imports]
    if "bfloat16" in (claim.dtype, *(array.dtype.name for array in arguments.values())):
        parts.append("import ml_dtypes  # np.dtype knows bfloat16 from now on")
    parts += [_EXACT, *[_PACKED] * long]
    if case.layout != "contiguous":
        parts.append(inspect.getsource(wire.arrange))
    parts += [given, "# The adapter, as far as this case needs it.\n" + code]
    if "setup" in defined:
        parts.append(f"setup({claim.device!r}, {claim.mode!r})")
    options = corpus.options(case)
    extra = "".join(
        f", {key}={value if np.isfinite(value) else f'float({str(value)!r})'}"
        if isinstance(value, float)
        else f", {key}={value!r}"
        for key, value in options.items()
    )
    parts.append(_CALL.format(operation=case.operation, options=extra))
    if at:
        parts.append(
            f"if observed is not None:\n    observed = observed[{at}].reshape(1)"
        )
    if meanings:
        lines = [f"    {key!r}: {spell(r.hi)}," for key, r in meanings.items()]
        parts.append("\n".join(["candidates = {", *lines, "}"]) + _CANDIDATES)
    accepted = ", ".join(case.accept)
    parts.append(_COMPARE if truth else _CONTRACT.format(accepted=accepted))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def inline(source: str, operation: str) -> tuple[str, frozenset[str]]:
    """The parts of a module that an operation and setup need, as they are written."""
    tree = _parse(source)
    lines = source.splitlines()
    body = [node for node in tree.body if not _is_idle(node)]
    if not any(operation in _binds(node) for node in body):
        raise ReproError(f"the adapter does not offer {operation}")
    needed, kept = {operation, "setup"}, set[int]()
    while True:
        more = [
            index
            for index, node in enumerate(body)
            if index not in kept and (not _binds(node) or needed & _binds(node))
        ]
        if not more:
            break
        kept.update(more)
        for index in more:
            needed |= _uses(body[index])
    chosen = [body[index] for index in sorted(kept)]
    for node in chosen:
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ReproError("the adapter imports relatively: it cannot stand alone")
    code, before = "", chosen[0]
    for node in chosen:
        first = min([node.lineno, *(d.lineno for d in _decorators(node))])
        apart = isinstance(node, _BLOCK) or isinstance(before, _BLOCK)
        code += "\n\n" * (apart and bool(code))
        code += "\n".join(lines[first - 1 : node.end_lineno]) + "\n"
        before = node
    return code, frozenset(name for node in chosen for name in _binds(node))


def spell(array: Array) -> str:
    """An expression for exactly this array, short where the array is simple."""
    shape, name = array.shape, array.dtype.name
    flat = array.ravel()
    if flat.size <= _LITERAL:
        return f"exact({_words(flat)}, {name!r}, {shape})"
    bits = flat.view(f"u{flat.dtype.itemsize}")
    starts = np.flatnonzero(np.r_[True, bits[1:] != bits[:-1]])
    if starts.size <= _LITERAL:
        counts = np.diff(np.r_[starts, flat.size]).tolist()
        words = f"exact({_words(flat[starts])}, {name!r}, -1)"
        return f"np.repeat({words}, {counts}).reshape({shape})"
    packed = base64.b85encode(zlib.compress(flat.tobytes(), 9)).decode()
    pieces = [packed[start : start + 72] for start in range(0, len(packed), 72)]
    return f"packed({_quoted(pieces)}, {name!r}, {shape})"


def word(value: float | int) -> str:
    """A number exactly: a short integer as it is, else hexadecimal."""
    if isinstance(value, int):
        return str(value)
    plain = f"{value:.0f}"
    if abs(value) < 1e6 and float(plain) == value:
        return plain
    digits, power, exponent = value.hex().partition("p")
    return (digits.rstrip("0").rstrip(".") if power else digits) + power + exponent


def declared(source: str, name: str, default: Any) -> Any:
    """The literal that a module gives to a name, without importing it.

    The default where it gives none, and None where only running it would tell.
    """
    tree = _parse(source)
    bound = [node for node in ast.walk(tree) if _gives(node, name)]
    if not bound:
        return default
    node = bound[0]
    if len(bound) > 1 or node not in tree.body:
        return None
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    value = node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        value = next((given for to, given in pairs if _is_name(to, name)), None)
    elif not _is_name(target, name):
        return None
    try:
        return ast.literal_eval(value) if value else None
    except ValueError:
        return None


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ReproError(f"the adapter, line {error.lineno}: {error.msg}") from error


def _gives(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.stmt) and name in _binds(node)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _words(flat: Array) -> str:
    read = int if flat.dtype.kind in "iub" else float
    text = " ".join(word(read(value)) for value in flat)
    pieces = textwrap.wrap(text, 72, break_on_hyphens=False)
    return _quoted([*(f"{piece} " for piece in pieces[:-1]), *pieces[-1:]])


def _quoted(pieces: list[str]) -> str:
    if len(pieces) < 2:
        return repr("".join(pieces))
    return "\n" + "\n".join(f"    {piece!r}" for piece in pieces)


def _given(claim: Claim, arguments: Mapping[str, Array]) -> str:
    before, lines = "", ["arguments = ["]
    named, extra = OPERATIONS[claim.case.operation].named, list[str]()
    for name, array in arguments.items():
        source, value = claim.case.arguments[name], spell(array)
        if "packed(" in value and _is_cast(source, array):
            make = corpus.generators()[source.generator]
            before += (
                inline(
                    inspect.getsource(inspect.getmodule(make) or make), source.generator
                )[0]
                + "\n\n"
            )
            words = [f"{key}={value!r}" for key, value in source.parameters.items()]
            if "dtype" in inspect.signature(make).parameters:
                words.append(f"dtype={array.dtype.name!r}")
            value = f"{source.generator}({', '.join(words)})"
            value += f".astype({array.dtype.name!r}).reshape({array.shape})"
        if claim.case.layout != "contiguous":
            value = f"arrange({value}, {claim.case.layout!r})"
        if name in named:
            extra.append(f"    {name!r}: {value},")
        else:
            lines.append(f"    {value},  # {name}")
    after = ["named = {", *extra, "}"] if extra else ["named = {}"]
    return before + "\n".join([*lines, "]", *after])


def _is_cast(source: Source, array: Array) -> bool:
    """Whether a generator's numbers, cast by NumPy, are the array."""
    if not source.generator:
        return False
    wide = exact.array(source, "float64", corpus.generators())
    return bool(np.array_equal(wide.astype(array.dtype), array))


def _truth(reference: Reference, tolerance: Tolerance, at: tuple[int, ...]) -> str:
    hi, lo, allowed = reference.hi, reference.lo, tolerance.allowed
    if at:
        hi, lo, allowed = (array[at].reshape(1) for array in (hi, lo, allowed))
    lines = [
        "# Certified to about 32 digits, as the sum of two doubles.",
        f"certified = {spell(hi)}",
        f"rest = {spell(lo)}",
        f"# Proved in chapter {tolerance.chapter} ({tolerance.theorem}).",
        f"allowed = {spell(allowed)}",
    ]
    return "\n".join(lines)


def _uses(node: ast.AST) -> set[str]:
    """The names that run; an annotation is only text here."""
    if isinstance(node, ast.Name):
        return {node.id}
    return {
        name
        for field, value in ast.iter_fields(node)
        if field not in ("annotation", "returns")
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, ast.AST)
        for name in _uses(child)
    }


_BLOCK = (ast.FunctionDef, ast.ClassDef)


def _is_idle(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _binds(node: ast.stmt) -> frozenset[str]:
    """The names that a top-level statement defines; none where it only acts."""
    if isinstance(node, _BLOCK):
        return frozenset({node.name})
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        return frozenset(names)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        found = (part for target in targets for part in ast.walk(target))
        named = (part for part in found if isinstance(part, ast.Name))
        return frozenset(name.id for name in named if isinstance(name.ctx, ast.Store))
    return frozenset()


def _decorators(node: ast.stmt) -> list[Any]:
    return list(node.decorator_list) if isinstance(node, _BLOCK) else []


_EXACT = '''
def exact(words, dtype, shape):
    """Numbers as they are: integers, hexadecimal floats, nan and inf."""
    whole = np.dtype(dtype).kind in "iub"
    read = int if whole else lambda w: float.fromhex(w) if "x" in w else float(w)
    return np.array([read(word) for word in words.split()]).astype(dtype).reshape(shape)
'''

_PACKED = '''
def packed(text, dtype, shape):
    """The bits of a long array."""
    bits = zlib.decompress(base64.b85decode(text))
    return np.frombuffer(bits, dtype).reshape(shape).copy()
'''

_CALL = """
try:
    observed = np.asarray({operation}(*arguments, **named{options}))
    print("answers ", observed.dtype, observed.shape, observed.ravel()[:8])
except Exception as error:
    observed = None
    print("raises  ", type(error).__name__, error)
"""

_CONTRACT = """
print("accepted", {accepted!r})
"""

_CANDIDATES = """
for name, value in candidates.items():
    print(f"{name:<28}", value.shape, value.ravel()[:8])
"""

_COMPARE = """
print("correct ", certified.shape, certified.ravel()[:8])
if observed is not None and observed.shape == certified.shape and observed.size:
    answer = observed.astype(np.float64)
    finite = np.isfinite(answer) & np.isfinite(certified)
    same = (answer == certified) | (np.isnan(answer) & np.isnan(certified))
    with np.errstate(all="ignore"):
        error = np.abs((answer - certified) - rest)
        ratio = np.where(error == 0, 0.0, error / allowed)
    ratio = np.where(finite, ratio, np.where(same, 0.0, np.inf))
    worst = np.unravel_index(np.argmax(ratio), ratio.shape)
    print("worst   ", "at", tuple(int(i) for i in worst))
    print("answer  ", float(answer[worst]), float(answer[worst]).hex())
    print("correct ", float(certified[worst]), float(certified[worst]).hex())
    print("error   ", float(error[worst]), "allowed", float(allowed[worst]))
    print("disagrees" if ratio[worst] > 1 else "agrees", float(ratio[worst]))
"""
