"""Plan, spawn, ask, count: every planned claim ends in exactly one verdict."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Self, TypeAlias

from sxlit_conformance import corpus, wire
from sxlit_conformance.exact import Generators
from sxlit_conformance.judge import SuiteError
from sxlit_conformance.locate import Adapter, AdapterError, explain
from sxlit_conformance.model import Array, Case, Claim, Observation, Verdict
from sxlit_conformance.operations import OPERATIONS
from sxlit_conformance.process import Limits, LostError, Process

_SMOKE = 3  # requests that may be lost before the first answer

Judge = Callable[[Claim, Observation, Mapping[str, Array], Mapping[str, Any]], Verdict]

Progress = Callable[[int, int, str], None]  # done, planned, the case
# The grades of a case and dtype, what came of the one question, and what it had asked.
Answer: TypeAlias = tuple[list[Claim], Observation, Mapping[str, Array]]


class AbsentError(Exception):
    """The adapter is well, but what it should run on is not there."""


@dataclass
class Pulse:
    """How the workers of one device and mode fare, counted over all of them."""

    answered: int = 0
    lost: int = 0
    reason: str = ""  # why nothing more is asked


@dataclass
class Run:
    """All that came of one adapter."""

    adapter: str
    hello: Mapping[str, Any]
    planned: int
    environments: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    suite_errors: list[str] = field(default_factory=list)
    broken: str = ""
    stderr: dict[str, str] = field(default_factory=dict)  # of claims, by key


def plan(
    cases: Sequence[Case],
    hello: Mapping[str, Any],
    devices: Sequence[str],
    dtypes: Sequence[str],
    select: Callable[[Claim], bool],
) -> list[Claim]:
    """The cases crossed with what the adapter declares, in the order of asking."""
    claims = (
        Claim(case, dtype, device, mode, grade)
        for device in devices
        for mode in hello["modes"]
        for case in cases
        for dtype in case.dtypes
        if dtype in hello["dtypes"] and (not dtypes or dtype in dtypes)
        for grade in case.graded(dtype)
    )
    return [claim for claim in claims if select(claim)]


def run(
    adapter: Adapter,
    cases: Sequence[Case],
    judge: Judge,
    *,
    devices: Sequence[str] = ("cpu",),
    dtypes: Sequence[str] = (),
    select: Callable[[Claim], bool] = lambda claim: True,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    generators: Generators | None = None,
    progress: Progress = lambda done, planned, case: None,
    jobs: int = 1,
) -> Run:
    """Ask an adapter all that is planned; AdapterError where it does not start.

    So many workers are asked at once, one operation each; the order of the verdicts
    is that of the plan, however many they are.
    """
    hello = greet(adapter, limits)
    for device in devices:
        if device not in hello["devices"]:
            raise AdapterError(
                f"adapter {adapter.name}: no device {device!r}; it declares "
                f"{', '.join(hello['devices'])}"
            )
    claims = plan(cases, hello, devices, dtypes, select)
    if not claims:
        raise AdapterError(f"adapter {adapter.name}: no case is selected")
    outcome = Run(adapter.name, hello, len(claims))
    for (device, mode), part in itertools.groupby(
        claims, lambda claim: (claim.device, claim.mode)
    ):
        sessions = [Session(adapter, hello, device, mode, limits) for _ in range(jobs)]
        answers = _observe_all(sessions, list(part), outcome, generators)
        with contextlib.closing(answers):
            for group, observation, arguments in answers:
                for claim in group:
                    if observation.stderr:
                        outcome.stderr[claim.key] = observation.stderr
                    try:
                        verdict = judge(claim, observation, arguments, hello)
                    except SuiteError as error:
                        outcome.suite_errors.append(str(error))
                        continue
                    outcome.verdicts.append(verdict)
                    progress(len(outcome.verdicts), len(claims), claim.case.id)
    place = {claim.key: number for number, claim in enumerate(claims)}
    outcome.verdicts.sort(key=lambda verdict: place[verdict.key])
    return outcome


def greet(adapter: Adapter, limits: Limits) -> Mapping[str, Any]:
    with Session(adapter, {}, "", "", limits) as session:
        hello = session.greet()
    core = [name for name, operation in OPERATIONS.items() if operation.core]
    if not set(core) & set(hello["operations"]):
        raise AdapterError(
            f"adapter {adapter.name}: offers none of the core operations "
            f"{', '.join(core)}"
        )
    return hello


def _observe_all(
    sessions: Sequence[Session],
    claims: Sequence[Claim],
    outcome: Run,
    generators: Generators | None,
) -> Generator[Answer, None, None]:
    """Ask in as many threads as there are sessions, an operation at a time."""
    parts: dict[str, list[Claim]] = {}
    for claim in claims:
        parts.setdefault(claim.case.operation, []).append(claim)
    waiting, pulse = iter(parts.values()), Pulse()  # the threads share the iterator
    heard: SimpleQueue[Answer | Exception | None] = SimpleQueue()

    def ask(session: Session) -> None:
        try:
            with session:
                for part in waiting:
                    for answer in _observe(session, part, outcome, pulse, generators):
                        heard.put(answer)
        except Exception as error:  # the thread that listens raises it
            heard.put(error)
        heard.put(None)

    threads = [threading.Thread(target=ask, args=(one,)) for one in sessions]
    try:
        for thread in threads:
            thread.start()
        working = len(threads)
        while working:
            answer = heard.get()
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                working -= 1
            else:
                yield answer
    finally:
        for session in sessions:
            session.stop()
        for thread in threads:
            thread.join()


def _observe(
    session: Session,
    claims: Sequence[Claim],
    outcome: Run,
    pulse: Pulse,
    generators: Generators | None,
) -> Iterator[Answer]:
    """One question for all grades of a case and dtype, and what came of it.

    All claims are of one operation.
    """
    row = 0  # questions lost one after the other
    for _, part in itertools.groupby(claims, lambda claim: (claim.case, claim.dtype)):
        if session.stopped:
            return
        group = list(part)
        case, dtype = group[0].case, group[0].dtype
        if not pulse.reason and session.environment is None:
            try:
                session.start()
                outcome.environments[session.key] = session.environment or {}
            except AbsentError as error:
                pulse.reason = str(error)
            except AdapterError as error:
                if not pulse.answered + pulse.lost and not outcome.environments:
                    raise  # it never ran at all
                pulse.reason = outcome.broken = str(error)
        if pulse.reason:
            yield group, Observation("not run", message=pulse.reason), {}
            continue
        if case.operation not in session.hello["operations"]:
            yield group, Observation("not offered"), {}
            continue
        if row >= session.limits.crashes:
            why = f"not asked: lost {row} times in a row"
            yield group, Observation("not run", message=why), {}
            continue
        arguments = corpus.materialise(case, dtype, generators)
        observation = session.ask(case, arguments)
        yield group, observation, arguments
        if observation.kind in ("crashed", "timed out"):
            pulse.lost += 1
            row += 1
            if not pulse.answered and pulse.lost >= _SMOKE:
                pulse.reason = outcome.broken = (
                    f"adapter {session.adapter.name}: {observation.kind} on the "
                    f"first {_SMOKE} cases; {observation.message}"
                )
        else:
            pulse.answered += 1
            row = 0


class Session:
    """An adapter on one device and in one mode, with a new worker when one is lost."""

    def __init__(
        self,
        adapter: Adapter,
        hello: Mapping[str, Any],
        device: str,
        mode: str,
        limits: Limits,
    ) -> None:
        self.adapter, self.hello, self.limits = adapter, hello, limits
        self.environment: Mapping[str, Any] | None = None
        self.stopped = False
        self._device, self._mode = device, mode
        self._process: Process | None = None
        self._asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    @property
    def key(self) -> str:
        return f"{self._device}/{self._mode}"

    def greet(self) -> Mapping[str, Any]:
        """Import the adapter in a new worker, and hear what it declares."""
        who = f"adapter {self.adapter.name}"
        try:
            self._process = Process(
                self.adapter.interpreter, self.adapter.location, self.limits
            )
            if self.stopped:
                self._process.kill()
            hello = self._process.hear(self.limits.start)
        except OSError as error:
            raise AdapterError(f"{who}: {self.adapter.interpreter}: {error}") from error
        except LostError as error:
            raise AdapterError(f"{who}: {_gone(error)}") from error
        if "broken" in hello:
            raise AdapterError(explain(self.adapter, hello["broken"]))
        if hello.get("hello") != wire.PROTOCOL:
            raise AdapterError(f"{who}: speaks another protocol than {wire.PROTOCOL}")
        return hello

    def start(self) -> None:
        """A worker that is set up for the device and the mode."""
        self.greet()
        assert self._process is not None
        message = {"setup": [self._device, self._mode]}
        try:
            answer = self._process.ask(message, self.limits.start)
        except LostError as error:
            raise AdapterError(
                f"adapter {self.adapter.name}: setup: {_gone(error)}"
            ) from error
        if "absent" in answer:
            raise AbsentError(answer["absent"])
        if "broken" in answer:
            raise AdapterError(explain(self.adapter, answer["broken"], "setup: "))
        self.environment = answer["ready"]

    def ask(self, case: Case, arguments: Mapping[str, Array]) -> Observation:
        """The answer to one case; a lost worker is an answer too."""
        assert self._process is not None
        operation = OPERATIONS[case.operation]
        self._asked += 1
        request = {
            "id": self._asked,
            "operation": case.operation,
            "arguments": [wire.encode(arguments[name]) for name in operation.arguments],
            "named": {
                name: wire.encode(arguments[name])
                for name in operation.named
                if name in arguments
            },
            "options": corpus.options(case),
            "layout": case.layout,
        }
        try:
            answer = self._process.ask(request, self.limits.case)
        except LostError as error:
            self._end()
            return Observation(error.kind, message=error.message, stderr=error.stderr)
        stderr = self._process.stderr
        if answer.get("id") != self._asked:
            self._end()
            said = f"answers for another case: {answer.get('id')} for {self._asked}"
            return Observation("crashed", message=said, stderr=stderr)
        sent = answer.get("array")
        return Observation(
            kind=answer["kind"],
            array=None if sent is None else wire.decode(sent),
            error=answer.get("error", ""),
            message=answer.get("message", ""),
            stderr=stderr,
            mutated=answer.get("mutated", False),
            seconds=answer.get("seconds", 0.0),
        )

    def stop(self) -> None:
        """From another thread: what the session still waits for is lost at once."""
        self.stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def _end(self) -> None:
        self.environment = None
        if self._process is not None:
            self._process.end()
            self._process = None


def _gone(error: LostError) -> str:
    last = [line for line in error.stderr.splitlines() if line.strip()]
    return error.message + (f" ({last[-1].strip()[:200]})" if last else "")
