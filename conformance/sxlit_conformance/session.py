"""One adapter the whole way: run it, settle its verdicts, and make its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sxlit_conformance import __version__, corpus, ledger, record, runner
from sxlit_conformance.exact import Generators
from sxlit_conformance.judge import Oracle, Rules, SuiteError, judge
from sxlit_conformance.ledger import Deviation
from sxlit_conformance.locate import Adapter, called
from sxlit_conformance.model import Array, Case, Claim, Observation, Verdict
from sxlit_conformance.process import Limits
from sxlit_conformance.record import Record


@dataclass(frozen=True)
class Options:
    """What a run was asked for; it stands in the header of its record."""

    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = ()
    expression: str = ""
    grade: str = "standard"
    limits: Limits = field(default_factory=Limits)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out, so that the ledger can be held to it."""
        return not self.dtypes and not self.expression


def conduct(
    adapter: Adapter,
    cases: Sequence[Case],
    entries: Sequence[Deviation],
    oracle: Oracle,
    rules: Rules,
    options: Options,
    select: Callable[[str], bool] = lambda key: True,
    progress: runner.Progress = lambda done, planned, case: None,
    generators: Generators | None = None,
    jobs: int = 1,
) -> tuple[Record, runner.Run]:
    """The record of one adapter; AdapterError or SuiteError where there is none."""

    def verdict(
        claim: Claim,
        observation: Observation,
        arguments: Mapping[str, Array],
        hello: Mapping[str, Any],
    ) -> Verdict:
        return judge(
            claim,
            observation,
            arguments,
            oracle,
            rules,
            flushes_subnormals=hello["flushes_subnormals"],
            gate=options.grade,
        )

    run = runner.run(
        adapter,
        cases,
        verdict,
        devices=options.devices,
        dtypes=options.dtypes,
        select=lambda claim: select(claim.key),
        limits=options.limits,
        generators=generators,
        progress=progress,
        jobs=jobs,
    )
    if run.suite_errors:
        raise SuiteError("suite error: " + "; ".join(run.suite_errors))
    environment: Mapping[str, Any] = next(iter(run.environments.values()), {})
    # A version that nobody told us, for want of the device, is no other version.
    speaking = entries if adapter.ships and run.environments else ()
    settled = ledger.settle(
        run.verdicts,
        speaking,
        adapter=adapter.name,
        version=environment.get("version", ""),
        platform=environment.get("platform", ""),
        complete=options.complete and not run.broken,
    )
    header = {
        "suite": __version__,
        "corpus": corpus.digest(cases, generators),
        "ledger": ledger.digest(entries),
        "adapter": called(adapter, run.hello.get("name", "")),
        "location": adapter.given,
        "version": environment.get("version", ""),
        "environments": run.environments,
        "declared": {key: run.hello[key] for key in _DECLARED},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": {
            "devices": list(options.devices),
            "dtypes": list(options.dtypes),
            "expression": options.expression,
            "grade": options.grade,
        },
        "complete": options.complete,
        "planned": run.planned,
    }
    footer = {
        "broken": run.broken,
        "problems": list(settled.problems),
        "ignored": list(settled.ignored),
        "deviations": {
            entry.id: {"reason": entry.reason, "issue": entry.issue}
            for entry in settled.used
        },
    }
    return record.make(header, settled.verdicts, footer), run


def status(made: Record) -> int:
    """0 conforms, 1 does not, 2 broken: crashed at once, absent, or nothing asked."""
    classes = {verdict.cls for verdict in made.verdicts}
    idle = {"not run", "not offered", "unsupported"}
    if made.footer["broken"] or "not run" in classes or not classes - idle:
        return 2
    failing = classes & {"fail", "crashed", "timed out", "fixed"}
    return 1 if failing or made.footer["problems"] else 0


_DECLARED = (
    "dtypes",
    "devices",
    "modes",
    "operations",
    "semantics",
    "flushes_subnormals",
    "numerics",
)
