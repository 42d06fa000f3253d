"""What the project's front pages state is so: the example, the sessions, the links."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "conformance/README.md")


def test_the_example_of_the_library_runs_and_gives_its_number() -> None:
    """Each statement runs; the loss is the number that its comment states."""
    example, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    values = {}
    for node in ast.parse(example).body:
        if isinstance(node, ast.Expr):
            code = ast.unparse(node)
            values[code] = eval(code, names)
        else:
            exec(ast.unparse(node), names)
    (stated,) = re.findall(r"cross_entropy\(.*# ([\d.]+): the mean", example)
    loss = values["sxlit.cross_entropy(logits, labels)"]
    assert stated == "0.15663"
    assert f"{loss:.5f}" == stated
    p = values["sxlit.softmax(logits)"]
    assert np.isfinite(p).all()
    assert p[1, 2] == 0
    (bound,) = (value for code, value in values.items() if "bounds" in code)
    assert 0 < bound < 1e-6


def test_what_the_training_script_imports_is_there() -> None:
    """Two of the modules need a framework, so their source is looked at."""
    _, script = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    asked = ast.parse(script).body
    assert len(asked) == 3
    for node in asked:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        path = ROOT / f"{node.module.replace('.', '/')}.py"
        found = ast.parse(path.read_text("utf-8")).body
        functions = {f.name for f in found if isinstance(f, ast.FunctionDef)}
        assert {alias.name for alias in node.names} <= functions


@pytest.mark.parametrize("page", PAGES)
def test_every_session_that_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"nox -s ([\w-]+)", text))
    assert named <= sessions()


def test_the_pages_name_sessions() -> None:
    """So that the test above is not one of nothing."""
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "nox -s " in (ROOT / page).read_text("utf-8")
    assert {"lint", "tests", "book", "conformance"} <= sessions()


def sessions() -> set[str]:
    """The functions of noxfile.py under @nox.session, read and not run."""
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(d) for d in node.decorator_list)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = folder / path if path else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings
    }
