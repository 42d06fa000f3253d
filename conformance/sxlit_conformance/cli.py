"""The command `sxlit-conformance`: a thin door; every bad call is one clear line."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NoReturn

from sxlit_conformance import (
    audit,
    corpus,
    ledger,
    locate,
    record,
    report,
    runner,
    semantics,
    show,
)
from sxlit_conformance.expression import ExpressionError, parse
from sxlit_conformance.judge import Oracle, Rules, SuiteError
from sxlit_conformance.locate import AdapterError
from sxlit_conformance.model import Case, Claim, Reference
from sxlit_conformance.operations import OPERATIONS, SEARCHED
from sxlit_conformance.process import Limits
from sxlit_conformance.repro import ReproError, declared, snippet
from sxlit_conformance.session import Options, conduct, status
from sxlit_conformance.wire import FLOATS

NAME = "sxlit-conformance"

# What an adapter runs on that does not say so.
_PLACE = {"DEVICES": ("cpu",), "MODES": ("eager",)}

_PAGES = {
    "md": report.markdown,
    "json": report.data,
    "semantics": semantics.markdown,
    "semantics-json": semantics.data,
}

_ONE_LINE = (
    AdapterError,
    SuiteError,
    ExpressionError,
    ReproError,
    corpus.CorpusError,
    ledger.LedgerError,
    record.RecordError,
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{NAME}: error: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 conforms, 1 does not, 2 the call or an adapter is broken."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.do(arguments)
        sys.stdout.flush()
        return code
    except _ONE_LINE as error:
        print(f"{NAME}: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read this has seen enough; say nothing more on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=NAME, description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="judge adapters", allow_abbrev=False)
    run.add_argument(
        "adapters",
        nargs="+",
        metavar="ADAPTER",
        help="a built-in name, a dotted module, or a path to a Python file",
    )
    run.add_argument("--device", default="cpu", help="cpu (default), cuda, ...")
    run.add_argument("--dtype", choices=FLOATS, help="only claims in this dtype")
    run.add_argument("-k", metavar="EXPR", help="only claims whose key matches EXPR")
    run.add_argument("--grade", choices=corpus.GRADES, default="standard")
    run.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="ADAPTER=INTERPRETER",
        help="the interpreter whose environment holds an adapter's framework",
    )
    run.add_argument("--record", metavar="OUT.jsonl", help="write the certificate")
    run.add_argument(
        "--timeout", type=_seconds, default=60.0, help="seconds for one case (60)"
    )
    run.add_argument(
        "--jobs", type=_count, default=1, metavar="N", help="workers at once (1)"
    )
    run.set_defaults(do=_run)

    listing = commands.add_parser("list", help="what there is")
    listing.add_argument(
        "what",
        nargs="?",
        default="cases",
        choices=("cases", "adapters", "operations"),
    )
    listing.set_defaults(do=_list)

    case = commands.add_parser("show", help="one case, its truth and its bounds")
    case.add_argument("case")
    case.set_defaults(do=_show)

    auditing = commands.add_parser("audit", help="the oracle against a second formula")
    auditing.add_argument("-k", metavar="EXPR", help="only cases whose id matches EXPR")
    auditing.add_argument(
        "--again", action="store_true", help="what is cached already, too"
    )
    auditing.set_defaults(do=_audit)

    seeking = commands.add_parser("search", help="the worst case for an adapter")
    seeking.add_argument("operation", choices=("all", *SEARCHED), metavar="OPERATION")
    seeking.add_argument("adapter")
    seeking.add_argument("--dtype", choices=FLOATS)
    limit = seeking.add_mutually_exclusive_group()
    limit.add_argument("--seconds", type=_seconds, help="for each operation and dtype")
    limit.add_argument(
        "--evaluations", type=_count, default=20_000, help="rows (20000): repeatable"
    )
    seeking.add_argument("--seed", type=int, default=0)
    seeking.add_argument("--grade", choices=corpus.GRADES, default="standard")
    seeking.add_argument("--device", default="cpu")
    seeking.add_argument("--mode", default="eager")
    seeking.add_argument(
        "--python", metavar="INTERPRETER", help="whose environment has the framework"
    )
    seeking.set_defaults(do=_search)

    repro = commands.add_parser("repro", help="a program that shows a disagreement")
    repro.add_argument("case")
    repro.add_argument("adapter")
    repro.add_argument("--device", default="cpu")
    repro.add_argument("--mode", default="eager")
    repro.add_argument("--dtype", choices=FLOATS)
    repro.add_argument("--grade", choices=corpus.GRADES)
    repro.add_argument(
        "--at", type=_index, metavar="I,J", help="compare this element alone"
    )
    repro.set_defaults(do=_repro)

    page = commands.add_parser("report", help="records as a page or as data")
    page.add_argument("records", nargs="+", metavar="RECORD")
    page.add_argument("--format", choices=tuple(_PAGES), default="md")
    page.set_defaults(do=_report)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.record:
        record.check_writable(arguments.record)
    interpreters = _interpreters(arguments.python, arguments.adapters)
    adapters = [
        locate.resolve(name, interpreters.get(name, sys.executable))
        for name in dict.fromkeys(arguments.adapters)
    ]
    options = Options(
        devices=(arguments.device,),
        dtypes=(arguments.dtype,) if arguments.dtype else (),
        expression=arguments.k or "",
        grade=arguments.grade,
        limits=replace(Limits(), case=arguments.timeout),
    )
    select = parse(arguments.k) if arguments.k is not None else lambda key: True
    cases, entries = corpus.load(), ledger.load()
    oracle, rules = truth()
    code, records = 0, []
    for adapter in adapters:
        try:
            made, run = conduct(
                adapter,
                cases,
                entries,
                oracle,
                rules,
                options,
                select,
                _progress(),
                jobs=arguments.jobs,
            )
        except AdapterError as error:
            print(f"{NAME}: error: {error}", file=sys.stderr)
            code = 2
            continue
        records.append(made)
        print(show.summary(made, run.stderr))
        if run.broken:
            print(f"{NAME}: error: {run.broken}", file=sys.stderr)
        code = max(code, status(made))
    if arguments.record and records:
        record.write(arguments.record, records)
    return code


def _list(arguments: argparse.Namespace) -> int:
    if arguments.what == "adapters":
        print("\n".join(locate.built_in()))
    elif arguments.what == "operations":
        for operation in OPERATIONS.values():
            options = [f"{key}={value}" for key, value in operation.options.items()]
            options += [f"[{key}]" for key in (*operation.named, *operation.extras)]
            core = "  (core)" if operation.core else ""
            print(
                f"{operation.name}({', '.join([*operation.arguments, *options])}){core}"
            )
    else:
        cases = corpus.load()
        width = max((len(case.id) for case in cases), default=0)
        for case in cases:
            dtypes = ",".join(
                name + "(hra)" * (name in case.hra_only) for name in case.dtypes
            )
            grades = ",".join(case.grades)
            print(f"{case.id:<{width}}  {dtypes}  {grades}  {case.level}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    case = _case(arguments.case)
    print(show.case_text(case, *truth()))
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    truth()  # one line where Arb is missing
    select = parse(arguments.k) if arguments.k is not None else lambda key: True
    cases = [case for case in corpus.load() if select(case.id)]
    if not cases:
        raise AdapterError(f"-k {arguments.k!r}: no case is selected")
    print(audit.audit(cases, again=arguments.again, progress=_progress()))
    return 0


def _search(arguments: argparse.Namespace) -> int:
    """0 where nothing exceeds its bound, 1 where something does, 2 for no answer."""
    _, rules = truth()
    from sxlit_conformance.search_run import Wish, search, text

    every = arguments.operation == "all"
    wish = Wish(
        operations=SEARCHED if every else (arguments.operation,),
        dtypes=(arguments.dtype,) if arguments.dtype else (),
        grade=arguments.grade,
        seed=arguments.seed,
        seconds=arguments.seconds,
        evaluations=arguments.evaluations,
        device=arguments.device,
        mode=arguments.mode,
    )
    interpreter = sys.executable
    if arguments.python:
        interpreter = _program(arguments.python, f"--python {arguments.python}")
    exceeds = []
    for found in search(locate.resolve(arguments.adapter, interpreter), wish, rules):
        print(text(found), flush=True)
        exceeds.append(found.exceeds)
    return int(any(exceeds)) if exceeds else 2


def _repro(arguments: argparse.Namespace) -> int:
    case = _case(arguments.case)
    source = locate.source(locate.resolve(arguments.adapter, sys.executable))
    for name, word in (("DEVICES", arguments.device), ("MODES", arguments.mode)):
        there = declared(source, name, _PLACE[name])
        if there is not None and word not in there:
            raise AdapterError(
                f"adapter {arguments.adapter}: no {name[:-1].lower()} {word!r}; it "
                f"declares {', '.join(there)}"
            )
    dtype = arguments.dtype or case.dtypes[0]
    grades = case.graded(dtype)
    grade = arguments.grade or grades[0]
    if dtype not in case.dtypes or grade not in (*grades, "standard"):
        raise AdapterError(
            f"case {case.id} has the dtypes {', '.join(case.dtypes)} and in {dtype} "
            f"the grades {', '.join(grades)}"
        )
    inputs = corpus.materialise(case, dtype)
    known = None
    meanings: dict[str, Reference] = {}
    if case.candidates:
        oracle, _ = truth()
        for word, question in corpus.meanings(case, dtype):
            same = sum(name.partition(" #")[0] == word for name in meanings)
            meanings[f"{word} #{same + 1}" if same else word] = oracle(*question)
    if "reference" in case.accept:
        oracle, rules = truth()
        options = corpus.options(case)
        flushes = declared(source, "FLUSHES_SUBNORMALS", False)
        if flushes is None:
            raise AdapterError(
                f"adapter {arguments.adapter}: FLUSHES_SUBNORMALS: expected a literal"
            )
        form: Literal["standard", "hra"] = "hra" if grade == "hra" else "standard"
        numerics = rules.required_numerics(dtype, bool(flushes), form)
        allowed = rules.tolerance(case.operation, inputs, options, form, numerics)
        known = (oracle(case.operation, inputs, options), allowed)
        shape = allowed.allowed.shape
        if arguments.at and not _inside(arguments.at, shape):
            raise AdapterError(f"--at {arguments.at}: the result has the shape {shape}")
    claim = Claim(case, dtype, arguments.device, arguments.mode, grade)
    print(
        snippet(
            claim, inputs, arguments.adapter, source, known, arguments.at, meanings
        ),
        end="",
    )
    return 0


def _report(arguments: argparse.Namespace) -> int:
    records = [entry for path in arguments.records for entry in record.read(path)]
    print(_PAGES[arguments.format](records).rstrip("\n"))
    return 0


def truth() -> tuple[Oracle, Rules]:
    """The oracle and the rules, imported only by what judges."""
    try:
        from sxlit_conformance import oracle, rules
    except ModuleNotFoundError as error:
        raise AdapterError(
            f"the suite needs {error.name}: pip install 'sxlit[conformance]'"
        ) from error
    return oracle.reference, rules


def _case(name: str) -> Case:
    cases = {case.id: case for case in corpus.load()}
    if name not in cases:
        close = difflib.get_close_matches(name, cases, 1)
        hint = f"; did you mean {close[0]}" if close else ""
        raise AdapterError(f"unknown case {name!r}{hint}: see {NAME} list cases")
    return cases[name]


def _interpreters(given: Sequence[str], adapters: Sequence[str]) -> dict[str, str]:
    found = {}
    for entry in given:
        name, equals, interpreter = entry.partition("=")
        if not equals or name not in adapters:
            raise AdapterError(
                f"--python {entry}: expected ADAPTER=INTERPRETER for an adapter of "
                "this run"
            )
        found[name] = _program(interpreter, f"--python {entry}")
    return found


def _program(interpreter: str, option: str) -> str:
    path = shutil.which(interpreter)
    if path is None:
        raise AdapterError(f"{option}: {interpreter} is no program")
    return path


def _index(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected 0,17, got {text!r}") from error


def _inside(index: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(index) == len(shape) and all(
        0 <= i < n for i, n in zip(index, shape, strict=True)
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"expected seconds, got {text!r}")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        said = f"expected a whole number from 1, got {text!r}"
        raise argparse.ArgumentTypeError(said)
    return int(text)


def _progress() -> runner.Progress:
    """Progress for a person; nothing where nobody looks."""
    if not sys.stderr.isatty():
        return lambda done, planned, case: None

    def tell(done: int, planned: int, case: str) -> None:
        end = "\r\x1b[K" if done == planned else ""
        print(f"\r\x1b[K{done}/{planned} {case[:60]}{end}", end="", file=sys.stderr)

    return tell
