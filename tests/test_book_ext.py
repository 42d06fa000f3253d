"""The book's Sphinx extension: its pure parts, and a tiny book built with it."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSION))

from sxlit_book import docstrings, formulas, markup, notebook, numbers, public, tabs  # noqa: E402

SOFTMAX = '''#| export
def softmax(x: float) -> float:
    """Turn scores into probabilities, $p_i$.

    Error: at most `sxlit.bounds.softmax`, for `x`.
    """
    return x


def _inner() -> None:
    """One line stays."""
'''
BOUND = '''#| export bounds
def softmax(x: float) -> float:
    """Bound the error."""
    return x
'''


def text(cell: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": cell, "metadata": {}, "source": source}


def code(cell: str, source: str) -> dict[str, Any]:
    shared: dict[str, Any] = {"metadata": {}, "outputs": [], "execution_count": 1}
    return {"cell_type": "code", "id": cell, "source": source, **shared}


def chapter(*cells: dict[str, Any]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    version = {"nbformat": 4, "nbformat_minor": 5}
    return {"cells": list(cells), "metadata": metadata, **version}


CHAPTER = chapter(
    text("title", "# Floating point\n\n```\n# no heading\n```"),
    code("module", "#| default_exp rows"),
    code("imports", "#| exporti\nimport math"),
    text("section", "## The shift\n\n$$ x = y $$ (eq-shift)\n\nSee {eq}`eq-shift`."),
    text("theorem", "```{prf:theorem} Shift\n:label: thm-shift\n\nIt holds.\n```"),
    code("softmax", SOFTMAX),
    code("bound-softmax", BOUND),
    code("plain", "# | is no directive here\nx = 1"),
)
TABS = """# Scores

````{tab-set}
:sync-group: framework

```{tab-item} One
:sync: one

:::{cell} 03_other.ipynb#step
:::
```

```{tab-item} Two
:sync: two

:::{cell} 03_other.ipynb#picture
:::
```
````
"""
OTHER = chapter(
    text("title", "# Other"),
    code("step", "#| exporti\nx = 6\nprint(x * 7)"),
    code("picture", "plot(x)"),
)
OTHER["cells"][1]["outputs"] = [
    {"output_type": "stream", "name": "stdout", "text": ["42\n", "and more\n"]}
]
OTHER["cells"][2]["outputs"] = [
    {"output_type": "display_data", "data": {"image/png": "AAAA"}, "metadata": {}}
]
PACKAGE = {
    "__init__.py": (
        "from . import bounds\nfrom .rows import softmax\n"
        "__all__ = ['bounds', 'softmax']"
    ),
    "rows.py": SOFTMAX + "\n__all__ = ['softmax']",
    "bounds.py": BOUND + "\n__all__ = ['softmax']",
}
CONFIGURATION = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
              "sphinx.ext.mathjax", "sphinx_design", "sphinx_exercise", "sphinx_proof",
              "sxlit_book"]
nb_execution_mode = "off"
numfig = math_numfig = nitpicky = True
mathjax_path = "none.js"
myst_enable_extensions = ["colon_fence", "dollarmath"]
sxlit_modules = ["sxlit", "sxlit.bounds"]
"""
INDEX = """# Book

```{toctree}
:numbered: 2
01_scores
03_floating_point
03_other
```

```{eval-rst}
.. autofunction:: sxlit.softmax
.. autofunction:: sxlit.bounds.softmax
```
"""


CHECKS = {
    "thm-shift": {
        "tests": {"tests/test_rows.py::test_shift": 2},
        "suite": {"sxlit": [1230, 1230], "other": [1, 2]},
    }
}


def write(folder: Path, **changes: str) -> None:
    """Lay out a book of two chapters and its package; `changes` replace files."""
    files = {f"sxlit/{name}": source for name, source in PACKAGE.items()} | {
        "conf.py": CONFIGURATION,
        "index.md": INDEX,
        "01_scores.ipynb": json.dumps(chapter(text("title", TABS))),
        "03_other.ipynb": json.dumps(OTHER),
        "03_floating_point.ipynb": json.dumps(CHAPTER),
        "_generated/checks.json": json.dumps(CHECKS),
    }
    for name, content in {**files, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def sphinx(folder: Path, builder: str = "html") -> subprocess.CompletedProcess[str]:
    """Build the book in a process of its own, where a warning is an error."""
    paths = os.pathsep.join([str(folder), str(EXTENSION)])
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", builder, ".", "_build"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    write(folder)
    done = sphinx(folder)
    assert done.returncode == 0, done.stderr
    return folder / "_build"


@pytest.fixture(scope="module")
def page(built: Path) -> str:
    return (built / "03_floating_point.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reference(built: Path) -> str:
    return (built / "index.html").read_text(encoding="utf-8")


def plain(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


# The notebook


def test_directives_are_split_from_code() -> None:
    assert notebook.split("#| export bounds\n\nx = 1\n#| y\n") == (
        {"export": "bounds"},
        "x = 1\n#| y",
    )


def test_a_cell_of_directives_alone_is_not_shown() -> None:
    shown = notebook.strip(CHAPTER)["cells"][1]
    assert shown["source"] == ""
    assert shown["metadata"]["tags"] == ["remove-cell"]


def test_the_notebook_itself_keeps_its_directives() -> None:
    notebook.strip(CHAPTER)
    assert CHAPTER["cells"][1]["source"] == "#| default_exp rows"
    assert CHAPTER["cells"][1]["metadata"] == {}


def test_exports() -> None:
    found = list(notebook.exports(CHAPTER, "03_floating_point"))
    assert [(e.cell, e.module, e.internal, e.names, e.section) for e in found] == [
        ("imports", "rows", True, (), "Floating point"),
        ("softmax", "rows", False, ("softmax",), "The shift"),
        ("bound-softmax", "bounds", False, ("softmax",), "The shift"),
    ]
    assert found[1].label == "cell-3-softmax"


def test_pages_of_one_chapter_keep_their_anchors_apart() -> None:
    assert notebook.label("15_training_loop", "Loss") == "cell-15-loss"
    assert notebook.label("15_torch", "loss") == "cell-15-torch-loss"
    assert notebook.label("15_jax", "loss") == "cell-15-jax-loss"


def test_two_cells_with_one_anchor_are_an_error(tmp_path: Path) -> None:
    index = INDEX.replace("03_floating_point", "03_floating_point\n3_again")
    write(tmp_path, **{"3_again.ipynb": json.dumps(CHAPTER), "index.md": index})
    done = sphinx(tmp_path)
    assert done.returncode != 0
    assert "expected one cell with the anchor cell-3-" in done.stderr


@pytest.mark.parametrize(
    ("docname", "number", "words"),
    [
        ("03_floating_point", "3", "chapter 3"),
        ("09b_several_labels", "9b", "chapter 9b"),
        ("12_accurate", "12", "chapter 12"),
        ("A_arrays", "A", "appendix A"),
        ("intro", "", "intro"),
    ],
)
def test_chapter_numbers(docname: str, number: str, words: str) -> None:
    assert notebook.chapter(docname) == number
    assert notebook.chapter_words(docname) == words


# Docstrings


def test_only_long_docstrings_fold() -> None:
    _, body = notebook.split(SOFTMAX)
    assert docstrings.long_docstrings(body) == [(2, 5)]


def test_folding_keeps_every_character() -> None:
    block = '<pre><span></span>def f():\n    """A.\n\n    B."""\n    return 1\n</pre>'
    folded = docstrings.fold(block, [(2, 4)])
    assert plain(folded) == plain(block)
    assert folded.count("<details") == folded.count("</details>") == 1


def test_a_formula_keeps_its_full_stop() -> None:
    text = nodes.paragraph()
    text += [nodes.Text("see ("), nodes.math("x", "x"), nodes.Text("). A set ")]
    text += [nodes.math("y", "y"), nodes.math("z", "z"), nodes.Text(" is, ")]
    before = text.astext()
    formulas.keep_together(text)
    assert text.astext() == before
    kept = [str(span.astext()) for span in text.findall(nodes.inline)]
    assert kept == ["(x)."]
    assert [node.astext() for node in text if isinstance(node, nodes.math)] == [
        "y",
        "z",
    ]


def test_docstrings_become_restructured_text() -> None:
    names = {"sxlit.softmax"}
    source = "Of `x` and $a\n  b$: `sxlit.softmax`, `thm-e`, ``y``, :math:`c`."
    assert markup.to_rst(source, names) == (
        "Of ``x`` and :math:`a b`: :py:obj:`sxlit.softmax`, :prf:ref:`thm-e`, ``y``, "
        ":math:`c`."
    )


def test_doctests_are_left_alone() -> None:
    source = "`x`\n\n    >>> f('$a$ `b`')\n    '`c`'\n\nError: `y`\n"
    assert markup.to_rst(source, ()) == (
        "``x``\n\n    >>> f('$a$ `b`')\n    '`c`'\n\n**Error:** ``y``\n"
    )


# The tiny book


def test_no_directive_shows(page: str) -> None:
    assert "#|" not in plain(page)
    assert "default_exp" not in page
    assert "# | is no directive here" not in plain(page)


def test_captions(page: str) -> None:
    captions = re.findall(r'<p class="sxlit-export">(.*?)</p>', page)
    assert [plain(caption) for caption in captions] == [
        "internal to sxlit.rows",
        "exported to sxlit.softmax",
        "exported to sxlit.bounds.softmax",
    ]
    assert 'href="index.html#sxlit.softmax"' in captions[1]
    assert 'href="index.html#sxlit.bounds.softmax"' in captions[2]


def test_the_entry_leads_back(reference: str) -> None:
    back = re.findall(r'<p class="sxlit-derived">(.*?)</p>', reference)
    assert [plain(line) for line in back] == ["Derived in chapter 3, The shift."] * 2
    assert 'href="03_floating_point.html#cell-3-softmax"' in back[0]
    assert 'href="03_floating_point.html#cell-3-bound-softmax"' in back[1]


def test_the_anchor_is_the_cell(page: str) -> None:
    assert re.search(r'<div class="cell[^>]*id="cell-3-softmax"', page)


def test_the_docstring_folds(page: str) -> None:
    _, folded = page.split('<details class="sxlit-docstring">')
    folded = folded[: folded.index("</details>")]
    assert "Error: at most" in plain(folded)
    assert "return" not in plain(folded)


def test_the_docstring_is_translated(reference: str) -> None:
    assert "<strong>Error:</strong>" in reference
    assert r"\(p_i\)" in reference


def test_the_chapter_keeps_its_number(page: str) -> None:
    assert '<span class="sxlit-chapter">Chapter 3 </span>Floating point' in page
    assert '<span class="section-number">3.1. </span>The shift' in page
    assert 'class="eqno">(3.1)' in page


def test_a_theorem_says_what_checked_it(page: str) -> None:
    checked = page[page.index('<details class="sxlit-checked">') :]
    checked = plain(checked[: checked.index("</details>")])
    assert "Checked by 1 test and 1,232 claims of the suite" in checked
    assert "tests/test_rows.py::test_shift: 2 cases" in checked
    assert "sxlit 1,230 of 1,230, other 1 of 2" in checked


def test_the_single_page_builds(tmp_path: Path) -> None:
    write(tmp_path)
    done = sphinx(tmp_path, "singlehtml")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "_build" / "index.html").read_text("utf-8")
    assert "sxlit-docstring" in page
    assert "print(x * 7)" in plain(page.partition('data-sync-id="one"')[2])


# Tabs


@pytest.fixture(scope="module")
def tab_page(built: Path) -> str:
    return (built / "01_scores.html").read_text(encoding="utf-8")


def test_a_tab_shows_the_cell_as_it_was_run(tab_page: str) -> None:
    shown = [plain(pre) for pre in re.findall(r"<pre>.*?</pre>", tab_page, re.DOTALL)]
    assert shown == ["x = 6\nprint(x * 7)\n", "42\nand more\n", "plot(x)\n"]
    assert tab_page.count('data-sync-group="framework"') == 2
    assert 'data-sync-id="two"' in tab_page
    assert len(re.findall('class="cell_input docutils', tab_page)) == 2
    assert len(re.findall('class="cell_output docutils', tab_page)) == 1


def test_what_a_cell_printed() -> None:
    result = {"output_type": "execute_result", "data": {"text/plain": "7"}}
    assert tabs.printed({"outputs": [*OTHER["cells"][1]["outputs"], result]}) == (
        "42\nand more\n7"
    )
    assert tabs.printed(OTHER["cells"][2]) == ""


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("03_other.ipynb#stop", "has no code cell 'stop'; it has step, picture"),
        ("03_other.ipynb#title", "has no code cell 'title'"),
        ("03_other.ipynb", "has no code cell ''"),
        ("04_none.ipynb#step", "there is no notebook 04_none.ipynb"),
    ],
)
def test_an_unknown_cell_fails_the_build(
    tmp_path: Path, cell: str, complaint: str
) -> None:
    page = chapter(text("title", TABS.replace("03_other.ipynb#step", cell)))
    write(tmp_path, **{"01_scores.ipynb": json.dumps(page)})
    done = sphinx(tmp_path)
    assert done.returncode != 0
    assert complaint in done.stderr


# What fails a build


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"index.md": INDEX.replace(".. autofunction:: sxlit.softmax\n", "")},
            "sxlit.softmax is public but has no entry",
        ),
        (
            {
                "sxlit/bounds.py": "def softmax(x): ...\n__all__ = ['softmax']",
                "index.md": INDEX.replace(
                    "autofunction:: sxlit.bounds", "py:function:: sxlit.bounds"
                ),
            },
            "sxlit.bounds.softmax is public but has no docstring",
        ),
        (
            {"sxlit/bounds.py": BOUND},
            "sxlit.bounds has no __all__",
        ),
    ],
    ids=["no entry", "no docstring", "no __all__"],
)
def test_an_incomplete_reference_fails(
    tmp_path: Path, changes: dict[str, str], complaint: str
) -> None:
    write(tmp_path, **changes)
    done = sphinx(tmp_path)
    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("checks", "complaint"),
    [
        ({}, "thm-shift: nothing has checked this theorem"),
        (
            {**CHECKS, "thm-shfit": CHECKS["thm-shift"]},
            "thm-shfit: a test or the suite checks a statement of this label",
        ),
    ],
    ids=["unchecked", "misspelt"],
)
def test_an_unchecked_theorem_fails(
    tmp_path: Path, checks: dict[str, Any], complaint: str
) -> None:
    write(tmp_path, **{"_generated/checks.json": json.dumps(checks)})
    done = sphinx(tmp_path)
    assert done.returncode != 0
    assert complaint in done.stderr


# The real book


def test_names_are_listed_once_on_the_first_shelf() -> None:
    found = public.names(["sxlit", "sxlit.bounds", "sxlit.textbook"])
    assert {"sxlit.softmax", "sxlit.bounds.softmax", "sxlit.textbook.softmax"} <= set(
        found
    )
    assert not public.undocumented(found)
    assert public.path(found, "simplex", "softmax") == "sxlit.softmax"
    assert public.path(found, "textbook", "softmax") == "sxlit.textbook.softmax"
    assert public.path(found, "rows", "row_state") is None


def test_the_landing_page_says_the_truth() -> None:
    page = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(example, {}, "intro", "intro.md", 0)
    results = doctest.DocTestRunner(verbose=False).run(test)
    assert results.attempted >= 4
    assert results.failed == 0


@pytest.mark.parametrize(
    ("number", "words"),
    [("9", "Chapter 9 "), ("9b", "Chapter 9b "), ("A", "Appendix A ")],
)
def test_what_it_is_is_said_in_the_title(number: str, words: str) -> None:
    context = {"body": f'<h1><span class="section-number">{number}. </span>Title</h1>'}
    numbers.say_chapter(None, "", "", context, None)  # type: ignore[arg-type]
    assert context["body"].startswith(f'<h1><span class="sxlit-chapter">{words}')


def test_the_second_half_of_a_chapter_is_numbered_by_its_letter(tmp_path: Path) -> None:
    half = chapter(
        text("title", "# More\n\n## Again\n\n$$ x = z $$ (eq-more)\n\n{eq}`eq-more`"),
        code("imports", "#| exporti rows\nimport math"),
    )
    index = INDEX.replace("03_floating_point", "03_floating_point\n03b_more")
    write(tmp_path, **{"03b_more.ipynb": json.dumps(half), "index.md": index})
    done = sphinx(tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "_build" / "03b_more.html").read_text(encoding="utf-8")
    assert "Chapter 3b " in page
    assert '<span class="section-number">3b.1. </span>Again' in page
    assert "(3b.1)" in page
    assert 'id="cell-3b-imports"' in page
