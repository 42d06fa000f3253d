"""The corpus: load the cases, refuse what is not exact or not known, and give bits."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple, NoReturn, get_args

from sxlit_conformance.exact import (
    SHORT,
    Decimal,
    Generators,
    array,
    is_number,
    number,
)
from sxlit_conformance.model import Array, Candidate, Case, Level, Source
from sxlit_conformance.operations import OPERATIONS, OPTION_WORDS, Operation
from sxlit_conformance.wire import DTYPES, FLOATS, LAYOUTS

OUTCOMES = ("reference", "raises", "nan", "zero", "+inf", "-inf", "empty")
GRADES = ("standard", "hra")
LEVELS: tuple[str, ...] = get_args(Level)
# What a survey, or another case, is asked in that names no dtypes.
WIDE = ("float32", "float64")
ALL = (*WIDE, *SHORT)

_REQUIRED = {"id", "why", "source", "arguments"}
_OPTIONAL = {"dtypes", "level", "grades", "accept", "options", "layout"}
_OPTIONAL |= {"not_in", "hra_only"}
_SURVEY = {"topic", "question", "candidates"}
_CANDIDATE = {"arguments", "options", "without"}
_ID = re.compile(r"[a-z0-9][a-z0-9_.+-]*(/[a-z0-9][a-z0-9_.+-]*)*")


class CorpusError(Exception):
    """A case that cannot be asked; the message names its file and its id."""


def generators() -> Generators:
    """The named generators that ship with the suite."""
    from sxlit_conformance.generators import GENERATORS

    return GENERATORS


def load(
    folder: Traversable | None = None, known: Generators | None = None
) -> tuple[Case, ...]:
    """All cases of a folder, in the order of operations and then of their file."""
    folder = resources.files(__package__) / "cases" if folder is None else folder
    known = generators() if known is None else known
    files = {entry.name: entry for entry in folder.iterdir()}
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for name in sorted(files):
        if not name.endswith(".toml"):
            continue
        # One file of an operation, or several: cross_entropy-options.toml.
        operation = OPERATIONS.get(name.removesuffix(".toml").partition("-")[0])
        if operation is None:
            raise CorpusError(
                f"{name}: expected the name of an operation: {_list(OPERATIONS)}"
            )
        for case in _read(name, files[name].read_text("utf-8"), operation, known):
            if case.id in seen:
                raise CorpusError(f"{name}: {case.id}: already in {seen[case.id]}")
            seen[case.id] = name
            cases.append(case)
    order = list(OPERATIONS)
    return tuple(sorted(cases, key=lambda case: order.index(case.operation)))


def materialise(
    case: Case, name: str, known: Generators | None = None
) -> dict[str, Array]:
    """The arguments of a case, exactly, for a claim in the dtype `name`."""
    known = generators() if known is None else known
    return {
        argument: _bits(source, source.dtype or name, known, f"{case.id}: {argument}")
        for argument, source in case.arguments.items()
    }


class Question(NamedTuple):
    """What the oracle is asked."""

    operation: str
    arguments: dict[str, Array]
    options: dict[str, Any]


def meanings(
    case: Case, name: str, known: Generators | None = None
) -> Iterator[tuple[str, Question]]:
    """The candidates of a survey, by name, as questions in the dtype `name`."""
    known = generators() if known is None else known
    asked = OPERATIONS[case.operation]
    formula = OPERATIONS[asked.formula or asked.name]
    for word, candidates in case.candidates.items():
        for candidate in candidates:
            sources = {**case.arguments, **candidate.arguments}
            arguments = {
                key: _bits(source, source.dtype or name, known, f"{case.id}: {word}")
                for key in (*formula.arguments, *formula.named)
                if key not in candidate.without and (source := sources.get(key))
            }
            given = {**formula.options, **case.options, **candidate.options}
            options = {k: v for k, v in given.items() if k not in candidate.without}
            yield word, Question(formula.name, arguments, options)


def _bits(source: Source, name: str, known: Generators, where: str) -> Array:
    try:
        return array(source, name, known)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise CorpusError(f"{where}: {error}") from error


def options(case: Case) -> dict[str, Any]:
    """The options that a case is asked with: those of every call, and its own."""
    return {**OPERATIONS[case.operation].options, **case.options}


def digest(cases: Sequence[Case], known: Generators | None = None) -> str:
    """A hash of all that is asked; a generator counts by the bits that it gives."""
    state = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.id):
        state.update(json.dumps(asdict(case), sort_keys=True).encode())
        for name in case.dtypes:
            for argument in materialise(case, name, known).values():
                state.update(f"{argument.dtype.name}{argument.shape}".encode())
                state.update(argument.tobytes())
    return state.hexdigest()


def _read(file: str, text: str, operation: Operation, known: Generators) -> list[Case]:
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"{file}: {error}") from error
    if set(document) != {"case"} or not isinstance(document["case"], list):
        raise CorpusError(f"{file}: expected [[case]] tables and nothing else")
    return [_case(file, table, operation, known) for table in document["case"]]


def _case(
    file: str, table: Mapping[str, Any], operation: Operation, known: Generators
) -> Case:
    where = f"{file}: {table.get('id', 'a case without id')}"

    def refuse(problem: str) -> NoReturn:
        raise CorpusError(f"{where}: {problem}")

    def words(key: str, default: tuple[str, ...], allowed: Sequence[str]) -> Any:
        given = table.get(key, list(default))
        if not isinstance(given, list) or not given or len(set(given)) != len(given):
            refuse(f"{key}: expected a list of different words, got {given!r}")
        for word in given:
            if word not in allowed:
                refuse(f"{key}: {word!r} is not one of {_list(allowed)}")
        return tuple(given)

    if missing := _REQUIRED - set(table):
        refuse(f"{_list(sorted(missing))} missing")
    if unknown := set(table) - _REQUIRED - _OPTIONAL - _SURVEY:
        refuse(f"unknown key {_list(sorted(unknown))}")
    survey = bool(_SURVEY & set(table))
    for key in ("id", "why", "source", *(("topic", "question") if survey else ())):
        if not isinstance(table.get(key), str) or not table[key].strip():
            refuse(f"{key}: expected some text")
    if not _ID.fullmatch(table["id"]):
        refuse("id: expected lower-case words joined by / and -")
    level = table.get("level", "required")
    if level not in LEVELS:
        refuse(f"level: {level!r} is not one of {_list(LEVELS)}")
    layout = table.get("layout", "contiguous")
    if layout not in LAYOUTS:
        refuse(f"layout: {layout!r} is not one of {_list(LAYOUTS)}")
    accept = words("accept", ("reference",), OUTCOMES)
    candidates = {
        name: tuple(
            _candidate(entry, operation, known, refuse)
            for entry in (given if isinstance(given, list) else [given])
        )
        for name, given in table.get("candidates", {}).items()
    }
    if survey:
        # What is found out is an outcome; "reference" is the first candidate's word.
        named = accept if "accept" in table else ()
        if "reference" in named:
            refuse("accept: a survey has candidates, and no reference")
        accept = tuple(dict.fromkeys((*candidates, *named)))
        if not accept:
            refuse("accept: a survey needs candidates, or words")
    if accept == ("reference",):
        grades = words("grades", GRADES, GRADES)
    elif "grades" in table:
        refuse('grades: a case with another accept has the grade "contract" alone')
    else:
        grades = ("contract",)
    not_in = table.get("not_in", {})
    if not isinstance(not_in, dict) or not all(
        name in SHORT and isinstance(reason, str) and reason.strip()
        for name, reason in not_in.items()
    ):
        refuse(f"not_in: expected reasons, by dtypes of {_list(SHORT)}")
    if not_in and "dtypes" in table:
        refuse("not_in: says nothing beside dtypes")
    # What an adapter means is the same in a short dtype, whose loose bounds could fit
    # two candidates.
    everywhere = tuple(name for name in (WIDE if survey else ALL) if name not in not_in)
    dtypes = words("dtypes", everywhere, FLOATS)
    hra_only = words("hra_only", (), dtypes) if "hra_only" in table else ()
    if hra_only and grades != GRADES:
        refuse("hra_only: says nothing where there is one grade")
    given = set(table["arguments"])
    if (
        not set(operation.arguments)
        <= given
        <= {
            *operation.arguments,
            *operation.named,
        }
    ):
        also = f", and perhaps {_list(operation.named)}" if operation.named else ""
        refuse(f"arguments: expected {_list(operation.arguments)}{also}")
    case = Case(
        id=table["id"],
        operation=operation.name,
        arguments={
            argument: _source(table["arguments"][argument], known, argument, refuse)
            for argument in (*operation.arguments, *operation.named)
            if argument in given
        },
        options=_options(table.get("options", {}), operation, refuse),
        dtypes=dtypes,
        grades=grades,
        level=level,
        accept=accept,
        why=table["why"].strip(),
        source=table["source"].strip(),
        layout=layout,
        candidates=candidates,
        topic=table.get("topic", "").strip(),
        question=table.get("question", "").strip(),
        not_in=not_in,
        hra_only=hra_only,
    )
    if layout == "bigendian" and "bfloat16" in dtypes:
        refuse("layout: NumPy has no bfloat16 in big-endian order")
    # What is written out is checked at once; what is generated, when it is asked for.
    for name in dtypes:
        for argument, source in case.arguments.items():
            if not source.generator:
                _bits(source, source.dtype or name, known, f"{where}: {argument}")
        for _ in meanings(case, name, known):
            pass
        if smoothing := case.options.get("label_smoothing"):
            e = _bits(Source(smoothing.hex()), name, known, f"{where}: label_smoothing")
            if float(e) != smoothing == smoothing:
                refuse(f"label_smoothing: {smoothing} is not exact in {name}")
    return case


def _candidate(
    table: Any,
    operation: Operation,
    known: Generators,
    refuse: Callable[[str], NoReturn],
) -> Candidate:
    if not isinstance(table, dict) or set(table) - _CANDIDATE:
        refuse(f"candidates: expected tables of {_list(sorted(_CANDIDATE))}")
    formula = OPERATIONS[operation.formula or operation.name]
    arguments = table.get("arguments", {})
    if extra := set(arguments) - {*formula.arguments, *formula.named}:
        refuse(f"candidates: {_list(sorted(extra))}: no argument of {formula.name}")
    return Candidate(
        {key: _source(value, known, key, refuse) for key, value in arguments.items()},
        _options(table.get("options", {}), formula, refuse),
        tuple(table.get("without", ())),
    )


def _options(
    given: Mapping[str, Any], operation: Operation, refuse: Callable[[str], NoReturn]
) -> dict[str, Any]:
    known = (*operation.options, *operation.extras)
    result = dict(given)
    for key, value in given.items():
        if key not in known:
            refuse(f"options: {key!r} is not one of {_list(known)}")
        if key in OPTION_WORDS and value not in OPTION_WORDS[key]:
            refuse(f"options.{key}: {value!r} is not one of {_list(OPTION_WORDS[key])}")
        if key in ("axis", "ignore_index") and type(value) is not int:
            refuse(f"options.{key}: expected an integer, got {value!r}")
        if key == "label_smoothing":
            try:
                result[key] = float(number(value))
            except (TypeError, ValueError) as error:
                refuse(f"options.label_smoothing: {error}")
    return result


def _source(
    table: Any, known: Generators, argument: str, refuse: Callable[[str], NoReturn]
) -> Source:
    where = f"arguments.{argument}"
    if not isinstance(table, dict):
        refuse(f"{where}: expected a table with values or generator")
    given = dict(table)
    name = given.pop("dtype", "")
    if name and name not in DTYPES:
        refuse(f"{where}: dtype {name!r} is not one of {_list(DTYPES)}")
    shape = given.pop("shape", None)
    if shape is not None and not all(type(n) is int and n >= 0 for n in shape):
        refuse(f"{where}: shape: expected a list of integers, got {shape!r}")
    shape = None if shape is None else tuple(shape)
    if "values" in given:
        values = given.pop("values")
        if given:
            refuse(f"{where}: unknown key {_list(sorted(given))} beside values")
        return Source(values=_frozen(values), dtype=name, shape=shape)
    generator = given.pop("generator", None)
    if generator not in known:
        refuse(f"{where}: generator {generator!r} is not one of {_list(known)}")
    try:
        parameters = {key: _parameter(value) for key, value in given.items()}
        signature = inspect.signature(known[generator])
        extra = {"dtype": "float64"} if "dtype" in signature.parameters else {}
        signature.bind(**parameters, **extra)
    except (TypeError, ValueError) as error:
        refuse(f"{where}: generator {generator!r}: {error}")
    return Source(generator=generator, parameters=parameters, dtype=name, shape=shape)


def _parameter(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_parameter(entry) for entry in value)
    return number(value) if is_number(value) else value


def _frozen(values: Any) -> Any:
    if isinstance(values, list):
        return tuple(_frozen(value) for value in values)
    return str(values) if isinstance(values, str) else values


def _list(words: Any) -> str:
    return ", ".join(str(word) for word in words)
