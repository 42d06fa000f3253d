"""A snippet stands alone: it runs without the suite, and shows the disagreement."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite_bench import CASES, Rules, case, oracle
from sxlit_conformance import corpus, repro
from sxlit_conformance.model import Case, Claim, Reference, Source
from sxlit_conformance.repro import ReproError, declared, inline, snippet, spell, word

ADAPTER = '''
"""A module with a docstring."""

from __future__ import annotations

import os

import numpy as np

os.environ["TOUCHED"] = "1"
NAME = "unshifted"
FLUSHES_SUBNORMALS = True
scale: float = 0.0


def setup(device, mode):
    global scale
    print("setup", device, mode, os.environ["TOUCHED"])
    scale = 1.0


def helper(x):
    return np.exp(scale * x)


def softmax(x, axis):
    return helper(x) / helper(x).sum(axis=axis, keepdims=True)


def log_softmax(x, axis):
    return np.log(softmax(x, axis))
'''


def run(
    tmp_path: Path,
    question: Case,
    source: str = ADAPTER,
    at: tuple[int, ...] = (),
) -> str:
    inputs = corpus.materialise(question, "float32")
    truth: Any = None
    if "reference" in question.accept:
        options = corpus.options(question)
        tolerance = Rules().tolerance("softmax", inputs, options, "standard", None)
        truth = (oracle("softmax", inputs, options), tolerance)
    claim = Claim(question, "float32", "cpu", "eager", "standard")
    text = snippet(claim, inputs, "fake", source, truth, at)
    assert "sxlit" not in text
    file = tmp_path / "snippet.py"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", str(file)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    return done.stdout


def test_it_shows_a_wrong_number(tmp_path: Path) -> None:
    said = run(tmp_path, case("offset", ((1000, 1000, 999),)))
    assert "setup cpu eager 1" in said
    assert "answer   nan" in said
    assert "disagrees inf" in said


def test_it_shows_agreement(tmp_path: Path) -> None:
    assert "\nagrees " in run(tmp_path, CASES[0])


def test_it_shows_what_a_contract_accepts(tmp_path: Path) -> None:
    said = run(tmp_path, case("contract", ((1, 2),), accept=("raises", "zero")))
    assert "answers  float32 (1, 2)" in said
    assert "accepted raises, zero" in said


def test_it_shows_what_each_candidate_would_answer(tmp_path: Path) -> None:
    cases = {case.id: case for case in corpus.load()}
    question = cases["cross_entropy/survey-weighted-mean"]
    inputs = corpus.materialise(question, "float32")
    source = (
        "def cross_entropy(logits, targets, *, axis, reduction, weight):\n"
        "    return weight * axis\n"
    )
    meanings = {"the rows": Reference(np.array(0.5), np.array(0.0))}
    claim = Claim(question, "float32", "cpu", "eager", "contract")
    text = snippet(claim, inputs, "fake", source, None, (), meanings)
    file = tmp_path / "snippet.py"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-I", str(file)], capture_output=True, text=True, check=True
    )
    assert "answers  float32 (3,) [-1. -2. -3.]" in done.stdout
    assert "the rows                     () [0.5]" in done.stdout
    assert "accepted the labels' weights, the number of rows" in done.stdout


def test_it_shows_what_is_raised(tmp_path: Path) -> None:
    source = "def softmax(x, axis):\n    raise ValueError('no')\n"
    assert "raises   ValueError no" in run(tmp_path, CASES[0], source)


def test_it_rebuilds_layouts_and_long_arrays(tmp_path: Path) -> None:
    row = tuple(range(-60, 60))
    said = run(tmp_path, case("long", (row, row[::-1]), layout="reversed"))
    assert "\nagrees " in said


def test_a_long_input_is_generated_and_one_element_compared(tmp_path: Path) -> None:
    source = Source(None, "moderate", {"rows": 1, "classes": 5000, "seed": 7})
    question = case("long", None, arguments={"x": source})
    assert "\nagrees " in run(tmp_path, question)
    whole = (tmp_path / "snippet.py").stat().st_size
    assert "\nagrees " in run(tmp_path, question, at=(0, 4321))
    alone = (tmp_path / "snippet.py").stat().st_size
    assert alone < 5000 < whole


def test_only_what_is_needed_is_inlined() -> None:
    code, names = inline(ADAPTER, "softmax")
    assert {"setup", "softmax", "helper", "scale", "np", "os"} == names
    assert "log_softmax" not in code
    assert 'os.environ["TOUCHED"]' in code
    assert "docstring" not in code


def test_what_cannot_stand_alone_is_refused() -> None:
    with pytest.raises(ReproError, match="does not offer logsumexp"):
        inline(ADAPTER, "logsumexp")
    with pytest.raises(ReproError, match="imports relatively"):
        inline("from .kernels import softmax\n", "softmax")


def test_what_is_declared_is_read_without_an_import() -> None:
    assert declared(ADAPTER, "FLUSHES_SUBNORMALS", False) is True
    assert declared(ADAPTER, "DEVICES", ("cpu",)) == ("cpu",)
    assert declared("NAME, DEVICES = 'a', ('tpu',)", "DEVICES", ()) == ("tpu",)
    for source in (
        "DEVICES = tuple(found())",
        "if gpu():\n    DEVICES = ('cuda',)",
        "DEVICES = ('cpu',)\nDEVICES += ('cuda',)",
        "from elsewhere import DEVICES",
        "DEVICES: tuple",
    ):
        assert declared(source, "DEVICES", ("cpu",)) is None
    with pytest.raises(ReproError, match="line 2: "):
        declared("x = 1\ndef\n", "DEVICES", ())


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 20, 0.1, 5e-324, 1.7e308]),
        np.array([[0.1, 3e38], [1e-45, 7]], np.float32),
        np.array([2**62 + 1, -1]),
        np.zeros((0, 3), np.float32),
        np.float64(0.3),
        np.repeat([20.0, -0.0, 0.0], [1, 500, 300]),
        np.linspace(0, 1, 999).astype(np.float16),
        np.array([True, False]),
        np.arange(500, dtype=np.uint8),
    ],
)
def test_arrays_are_spelled_exactly(array: Any) -> None:
    array = np.asarray(array)
    names: dict[str, Any] = {}
    exec("import base64, zlib\nimport numpy as np\n", names)
    exec(repro._EXACT + repro._PACKED, names)
    back = eval(spell(array), names)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    same = array.tobytes() == back.tobytes()
    assert same or np.array_equal(array, back, equal_nan=True)


def test_words() -> None:
    assert [word(v) for v in (20.0, -0.0, 3, 0.5, float("-inf"))] == [
        "20",
        "-0",
        "3",
        "0x1p-1",
        "-inf",
    ]
