"""Under each theorem: what has checked it. One that nothing has checked is a warning.

The counts come from a file that tools/book.py writes from the committed runs; strict
builds turn the warning into an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

STATEMENTS = ("theorem", "lemma", "corollary", "proposition")
Checks: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, Any]]]"

logger = logging.getLogger(__name__)


class checked(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """What has checked a statement: a line, and a list that unfolds."""


def summary(check: Mapping[str, Mapping[str, Any]]) -> str:
    """One line, such as "Checked by 2 tests and 1,230 claims of the suite"."""
    tests = len(check["tests"])
    claims = sum(asked for _, asked in check["suite"].values())
    parts = [f"{tests} test{'s' * (tests != 1)}"] if tests else []
    parts += [f"{claims:,} claims of the suite"] if claims else []
    return f"Checked by {' and '.join(parts)}"


def lines(check: Mapping[str, Mapping[str, Any]]) -> Iterator[list[nodes.Node]]:
    """Each test, then how often each adapter was within the bound."""
    for test, count in check["tests"].items():
        cases = f": {count} cases" if count > 1 else ""
        yield [nodes.literal(text=test), nodes.Text(cases)]
    if check["suite"]:
        counts = ", ".join(
            f"{adapter} {held:,} of {asked:,}"
            for adapter, (held, asked) in check["suite"].items()
        )
        yield [nodes.Text(f"errors within the bound, in the suite: {counts}")]


def _entry(check: Mapping[str, Mapping[str, Any]]) -> checked:
    items = [
        nodes.list_item("", nodes.paragraph("", "", *line)) for line in lines(check)
    ]
    return checked("", nodes.bullet_list("", *items), summary=summary(check))


def _read(app: Sphinx) -> None:
    path = Path(app.srcdir, app.config.sxlit_checks)
    kept: Checks = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    app.env.sxlit_checks = kept  # type: ignore[attr-defined]


def _say(app: Sphinx, doctree: nodes.document) -> None:
    checks: Checks = app.env.sxlit_checks  # type: ignore[attr-defined]
    for node in list(doctree.findall(nodes.Element)):
        if node.get("realtype") in STATEMENTS:
            label = node["label"]
            if label in checks:
                node += _entry(checks[label])
            else:
                logger.warning(
                    "%s: nothing has checked this %s; mark a test with "
                    '@pytest.mark.theorem("%s") and run `nox -s tests -- --write`',
                    label,
                    node["realtype"],
                    label,
                    location=node,
                    type="sxlit",
                    subtype="unchecked",
                )


def _no_stranger(app: Sphinx, env: BuildEnvironment) -> None:
    """A check of a statement that the book does not have is a misspelt label."""
    for label in sorted(env.sxlit_checks.keys() - set(_labels(env))):  # type: ignore[attr-defined]
        logger.warning(
            "%s: a test or the suite checks a statement of this label, and the book "
            "has none",
            label,
            type="sxlit",
            subtype="unchecked",
        )


def _labels(env: BuildEnvironment) -> Iterator[str]:
    for label, entry in getattr(env, "proof_list", {}).items():
        if entry["realtype"] in STATEMENTS:
            yield label


def _visit(self: HTML5Translator, node: checked) -> None:
    self.body.append('<details class="sxlit-checked"><summary>')
    self.body.append(f"{self.encode(node['summary'])}</summary>")


def _depart(self: HTML5Translator, node: checked) -> None:
    self.body.append("</details>")


def register(app: Sphinx) -> None:
    """Take part in the build."""
    app.add_config_value("sxlit_checks", "_generated/checks.json", "env", [str])
    app.add_node(checked, html=(_visit, _depart))
    app.connect("builder-inited", _read)
    app.connect("doctree-read", _say)
    app.connect("env-check-consistency", _no_stranger)
