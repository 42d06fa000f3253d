"""The gates before a notebook: the lint of tools/notebooks.py, and nbval after it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PLOT = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()"
FIGURE = {
    "output_type": "display_data",
    "data": {"image/png": "AAAA", "text/plain": ["<Figure size 640x480 with 1 Axes>"]},
    "metadata": {},
}


def printed(*lines: str) -> dict[str, Any]:
    text = [f"{line}\n" for line in lines]
    return {"output_type": "stream", "name": "stdout", "text": text}


def result(text: str, count: int) -> dict[str, Any]:
    return {
        "output_type": "execute_result",
        "data": {"text/plain": [text]},
        "execution_count": count,
        "metadata": {},
    }


def code(id: str, source: str, *outputs: Any, tags: tuple[str, ...] = ()) -> Any:
    return {
        "cell_type": "code",
        "execution_count": 0,  # numbered below
        "id": id,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": list(outputs),
        "source": source.splitlines(keepends=True),
    }


def notebook(*more: Any) -> dict[str, Any]:
    """A good notebook, with the given cells at its end."""
    title = {"cell_type": "markdown", "id": "title", "metadata": {}}
    cells = [
        title | {"source": ["# Two sums"]},
        code("add", "x = 1 + 1\nprint(x)", printed("2")),
        code("value", "x * 2", result("4", 2)),
        *more,
    ]
    for number, cell in enumerate((c for c in cells if c["cell_type"] == "code"), 1):
        cell["execution_count"] = number
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def save(root: Path, fields: dict[str, Any]) -> Path:
    path = root / "book" / "01_sums.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n")
    return path


def tool(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "notebooks.py")]
    command += ["--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def nbval(root: Path) -> subprocess.CompletedProcess[str]:
    """nbval as the noxfile calls it, with warnings as errors."""
    (root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--color=no", "--nbval", "--nbval-current-env", "book"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def refused(root: Path, fields: dict[str, Any], *words: str) -> None:
    save(root, fields)
    done = tool(root)
    assert done.returncode == 1, done.stdout + done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert any(all(word in line for word in words) for line in lines), done.stdout


def test_the_committed_notebooks() -> None:
    done = tool(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_good_notebook_passes(tmp_path: Path) -> None:
    save(
        tmp_path,
        notebook(
            code("quiet", "x;  # not shown"),
            code("nothing", "None"),
            code("call", "dict().clear()"),
            code("perhaps", "if x > 5:\n    print(x)"),
            code("unended", 'print("", end="")'),
            code("figure", PLOT, FIGURE, tags=("hide-input",)),
        ),
    )
    done = tool(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "1 notebook: run, with outputs\n"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (code("lost", "print(1)"), "lacks the output of print"),
        (code("lost", "print(1)\nx"), "lacks the output of its last line, 'x'"),
        (code("lost", "x == 2", printed("True")), "lacks the output of its last line"),
        (code("lost", PLOT), "lacks the output of plt.show()"),
        (code("lost", "display(x)"), "lacks the output of display"),
        (code("magic", "%matplotlib inline"), "a magic"),
        (code("magic", "%%time\nx = 1"), "a magic"),
        (code("magic", "!ls"), "a magic"),
        (code("magic", "files = !ls"), "a magic"),
        (code("magic", "len?"), "a magic"),
        (code("magic", 'get_ipython().run_line_magic("time", "")'), "get_ipython"),
        (code("wrong", "def f(:"), "a syntax error"),
        (code("skipped", "x = 1", tags=("nbval-skip",)), "nbval-skip"),
        (code("skipped", "# NBVAL_SKIP\nx = 1"), "by a comment"),
        (code("tagged", "x = 1", tags=("hide_input",)), "hide_input"),
        (code("path", 'open("/home/me/x")'), "absolute path"),
        (code("path", "print(x)", printed("/tmp/ipykernel_7/1.py")), "absolute path"),
        (code("void", ""), "is empty"),
        (code("calm", "x = 1", tags=("raises-exception",)), "no exception"),
        (code("Row_State", "x = 1"), "readable slug"),
        (code("3b932371", "x = 1"), "readable slug"),
        (code("a62f3967", "x = 1"), "readable slug"),
        (code("add", "x = 1"), "2 cells have this id"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, cell: Any, words: str) -> None:
    refused(tmp_path, notebook(cell), f"book/01_sums.ipynb #{cell['id']}: ", words)


@pytest.mark.parametrize(
    ("source", "name", "wrong"),
    [
        ("import torch", "11_digits", "torch"),
        ("import torch.nn.functional as F", "03_floating_point", "torch"),
        ("from jax import numpy", "11_digits_torch", "jax"),
        ("def f():\n    import keras", "A_arrays", "keras"),
        ("import torch", "11_digits_torch", ""),
        ("import jax\nimport optax", "11_digits_jax", ""),
        ("import tensorflow as tf", "11_digits_tensorflow", ""),
        ("import torch", "14b_sharded_torch", ""),
        ("import torch", "14b_sharded_jax", "torch"),
    ],
)
def test_frameworks_have_notebooks_of_their_own(
    tmp_path: Path, source: str, name: str, wrong: str
) -> None:
    path = save(tmp_path, notebook(code("setup", source)))
    path.rename(path.with_stem(name))
    done = tool(tmp_path)
    assert done.returncode == bool(wrong), done.stdout
    assert (f"{name}.ipynb #setup: imports {wrong}" in done.stdout) == bool(wrong)


def test_an_unrun_cell(tmp_path: Path) -> None:
    fields = notebook(code("unrun", "print(1)"))
    fields["cells"][-1]["execution_count"] = None
    refused(tmp_path, fields, "book/01_sums.ipynb #unrun", "has not been run")
    assert nbval(tmp_path).returncode == 0  # which is why the lint must see it


def test_cells_run_out_of_order(tmp_path: Path) -> None:
    fields = notebook(code("again", "x = 1"))
    fields["cells"][-1]["execution_count"] = 7
    refused(tmp_path, fields, "book/01_sums.ipynb #again", "[7]", "[3]")


def test_an_error_among_the_outputs(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no"}
    cell = code("fails", "raise ValueError('no')", error | {"traceback": []})
    refused(tmp_path, notebook(cell), "#fails", "ended in ValueError")
    cell["metadata"]["tags"] = ["raises-exception"]
    save(tmp_path, notebook(cell))
    assert tool(tmp_path).returncode == 0
    assert nbval(tmp_path).returncode == 0


def test_a_warning_among_the_outputs(tmp_path: Path) -> None:
    cell = code("warns", "x = 1", printed("RuntimeWarning") | {"name": "stderr"})
    refused(tmp_path, notebook(cell), "#warns", "writes to stderr")


def test_metadata_and_bytes(tmp_path: Path) -> None:
    kernel = METADATA | {"language_info": {"name": "python", "version": "3.11.7"}}
    refused(tmp_path, notebook() | {"metadata": kernel}, "01_sums.ipynb: its metadata")
    cell = code("timed", "x = 1")
    cell["metadata"] = {"execution": {"iopub.status.busy": "2020-01-01"}}
    refused(tmp_path, notebook(cell), "#timed", "metadata 'execution'")
    path = save(tmp_path, notebook())
    path.write_text(json.dumps(notebook(), indent=2))
    assert "is not written as nbformat" in tool(tmp_path).stdout
    path.write_text("{")
    done = tool(tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("book/01_sums.ipynb: is not JSON")
    refused(tmp_path, notebook() | {"nbformat_minor": 4}, "01_sums.ipynb: ")


def test_no_notebook_is_no_success(tmp_path: Path) -> None:
    assert tool(tmp_path).returncode == 2
    assert tool(tmp_path, str(tmp_path / "mistyped.ipynb")).returncode == 2


def test_nbval_passes_the_committed_figure(tmp_path: Path) -> None:
    save(tmp_path, notebook(code("figure", PLOT, FIGURE)))  # its bytes are not compared
    done = nbval(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_nbval_sees_a_changed_output(tmp_path: Path) -> None:
    save(tmp_path, notebook(code("changed", "print(x + 1)", printed("4"))))
    assert tool(tmp_path).returncode == 0
    done = nbval(tmp_path)
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout
    assert "book/01_sums.ipynb::Cell 2" in done.stdout
    assert "Cell outputs differ" in done.stdout


def test_nbval_sees_an_exception(tmp_path: Path) -> None:
    save(tmp_path, notebook(code("fails", "x = 1 / (x - 2)")))
    assert tool(tmp_path).returncode == 0
    done = nbval(tmp_path)
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout
    assert "book/01_sums.ipynb::Cell 2" in done.stdout
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.parametrize(("deaths", "status"), [(2, 0), (3, 1)])
def test_a_kernel_that_dies_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, status: int
) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(
        "import os, pathlib, sys\n"
        f"grave = pathlib.Path({str(tmp_path)!r}, 'deaths')\n"
        "dead = int(grave.read_text()) if grave.exists() else 0\n"
        f"if dead < {deaths}:\n"
        "    grave.write_text(str(dead + 1))\n"
        "    print('no port for me', file=sys.stderr, flush=True)\n"
        "    os._exit(1)\n"
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    save(tmp_path, notebook(code("figure", PLOT, FIGURE)))
    shutil.copy(ROOT / "book" / "conftest.py", tmp_path / "book")
    done = nbval(tmp_path)
    assert done.returncode == status, done.stdout
    assert (tmp_path / "deaths").read_text() == str(deaths)
    assert "kernel 3 of 3 said: no port for me" in done.stdout or not status


def test_write_runs_and_saves(tmp_path: Path) -> None:
    wrong = notebook(code("late", "print(x + 1)", tags=("hide-input",)))
    wrong["metadata"] = {"language_info": {"name": "python", "version": "3.11.7"}}
    wrong["cells"][1]["metadata"] = {"collapsed": True}
    wrong["cells"][2]["outputs"] = []
    path = save(tmp_path, wrong)
    done = tool(tmp_path, "--write")
    assert done.returncode == 0, done.stdout + done.stderr
    expected = notebook(
        code("late", "print(x + 1)", printed("3"), tags=("hide-input",))
    )
    assert json.loads(path.read_text()) == expected
    before = path.read_bytes()
    assert tool(tmp_path, "--write", str(path)).returncode == 0
    assert path.read_bytes() == before


def test_write_leaves_a_failing_notebook_alone(tmp_path: Path) -> None:
    path = save(tmp_path, notebook(code("fails", "1 / 0")))
    before = path.read_bytes()
    done = tool(tmp_path, "--write")
    assert done.returncode == 1
    assert "book/01_sums.ipynb #fails: ZeroDivisionError" in done.stdout
    assert path.read_bytes() == before
