"""Chapter 15: the third derivative, exactly; drop-ins ask for their frameworks."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

Row = list[Fraction]


def draw(rng: np.random.Generator, classes: int, low: int) -> Row:
    """Small rational numbers."""
    return [Fraction(int(rng.integers(low, 9)), 5) for _ in range(classes)]


def dot(a: Row, b: Row) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


@pytest.mark.theorem("lem-third-derivative")
@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_the_third_derivative_is_that_of_power_series(classes: int) -> None:
    """Weights e^x are rational here; along d they are e^x (1 + t d), up to t^2.

    So is everything that is made of them: numbers a + b t, whose b is a derivative.
    """
    rng = np.random.default_rng(classes)
    for _ in range(20):
        e = draw(rng, classes, 1)
        g, v, d = (draw(rng, classes, -8) for _ in range(3))
        total = draw(rng, 1, 1)[0]
        moved = [x * y for x, y in zip(e, d, strict=True)]

        def mean(f: Row, e: Row = e, moved: Row = moved) -> tuple[Fraction, Fraction]:
            """A quotient of power series: sum e f / sum e."""
            top, bottom = (dot(e, f), dot(moved, f)), (sum(e), sum(moved))
            value = top[0] / bottom[0]
            return value, (top[1] - value * bottom[1]) / bottom[0]

        gv = [x * y for x, y in zip(g, v, strict=True)]
        (egv, egv_), (eg, eg_), (ev, ev_) = mean(gv), mean(g), mean(v)
        wanted = total * (egv_ - eg_ * ev - eg * ev_)
        p = [x / sum(e) for x in e]
        third = [
            total * p_ * (a * b - egv - (a - eg) * ev - (b - ev) * eg)
            for p_, a, b in zip(p, g, v, strict=True)
        ]
        assert dot(third, d) == wanted


@pytest.mark.parametrize(("module", "package"), [("torch", "PyTorch"), ("jax", "JAX")])
def test_without_its_framework_a_drop_in_says_what_to_install(
    module: str, package: str
) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; import sxlit.{module}"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: sxlit.{module} needs {package}")
    assert f"pip install 'sxlit[fast,{module}]'" in last
