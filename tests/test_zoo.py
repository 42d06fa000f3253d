"""The suite can say no: a wrong implementation is caught by a case that says why.

Each adapter in tests/zoo is wrong in one way in which real kernels have been wrong. It
runs as a stranger's file does, in a worker process, on the required cases alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from sxlit_conformance import corpus, oracle, rules
from sxlit_conformance.judge import judge
from sxlit_conformance.locate import resolve
from sxlit_conformance.model import Array, Case, Claim, Observation, Verdict
from sxlit_conformance.runner import run

ZOO = Path(__file__).parent / "zoo"
CASES = {case.id: case for case in corpus.load()}

# Who, the case that catches it, and what the suite says it did.
CAUGHT = {
    "unshifted": ("softmax/offset-1000", "nan"),
    "batch_maximum": ("softmax/rows-far-apart", "nan"),
    "zeros": ("softmax/classes-10", "zero"),
    "uniform": ("softmax/classes-10", "wrong number"),
    "log_of_softmax": ("log_softmax/below-exp-range", "-inf"),
    "lse_minus_logit": ("cross_entropy/tied-at-1e8", "zero"),
    "serial_sum": ("softmax/cliff-below-half-ulp-float32", "wrong number"),
    "half_precision_sum": ("softmax/classes-1000", "wrong number"),
    "wrong_axis": ("softmax/axis-first", "wrong number"),
    "gradient_not_divided": ("cross_entropy_grad/divided-by-rows", "wrong number"),
    "gradient_assumes_sum_one": (
        "cross_entropy_grad/soft-sums-to-two",
        "wrong number",
    ),
    "reduction_ignored": ("cross_entropy/reduction-sum", "wrong number"),
    "wraps_minus_one": ("cross_entropy/label-minus-one", "wrong number"),
    "clamps_labels": ("cross_entropy/label-one-past-the-end", "wrong number"),
    "labels_as_float16": ("cross_entropy/classes-32000", "wrong number"),
    "broadcasts_targets": (
        "cross_entropy/one-distribution-for-two-rows",
        "wrong number",
    ),
    "last_column_dropped": ("softmax/classes-3", "wrong number"),
    "wrong_at_127": ("softmax/classes-127", "wrong number"),
    "first_block_masked": ("softmax/minus-inf-first-block", "nan"),
    "nan_ignored": ("softmax/nan-last", "wrong number"),
    "flushes_small": ("softmax/gap-80", "wrong number"),
    "float32_for_float64": ("softmax/classes-3", "wrong dtype"),
    "computes_in_float32": ("softmax/classes-3", "wrong number"),
    "stale_answer": ("softmax/gap-10", "wrong number"),
    "writes_into_its_input": ("softmax/classes-3", "mutated input"),
    "ignored_in_denominator": ("cross_entropy/ignored", "wrong number"),
    "ignored_row_has_a_gradient": ("cross_entropy_grad/ignored", "wrong number"),
    "ignored_by_multiplying": ("cross_entropy/ignored-row-of-nan", "nan"),
    "ignored_class_leaves_the_sum": ("cross_entropy/ignored-class", "wrong number"),
    "ignores_minus_hundred_only": ("cross_entropy/ignored-class", "wrong number"),
    "option_dropped_for_distributions": ("cross_entropy/ignored-soft", "wrong number"),
    "zero_for_no_rows": ("cross_entropy/all-ignored-mean", "zero"),
    "gradient_of_nothing": ("cross_entropy_grad/all-ignored-mean", "nan"),
    "smoothing_over_others": ("cross_entropy/smoothed", "wrong number"),
    "smoothing_by_the_last_axis": (
        "cross_entropy/axis-first-smoothed-soft",
        "wrong number",
    ),
    "smoothed_distributions_normalised": (
        "cross_entropy/smoothed-soft-sums-to-half",
        "wrong number",
    ),
    "weights_squared": ("cross_entropy/weight-sum", "wrong number"),
    "weights_before_smoothing": ("cross_entropy/weight-smoothed-sum", "wrong number"),
    "weights_of_the_row": ("cross_entropy/weight-smoothed-sum", "wrong number"),
    "mean_over_rows": ("cross_entropy/weight", "wrong number"),
    "mean_over_smoothed_weights": ("cross_entropy/weight-smoothed", "wrong number"),
    "gradient_over_rows": ("cross_entropy_grad/weight", "wrong number"),
    "zero_times_infinity": ("cross_entropy/weight-zero-at-minus-inf-label", "nan"),
    "negative_weights_taken": ("cross_entropy/weight-negative", "wrong number"),
    "log_of_sigmoid": ("log_sigmoid/below-exp-range", "-inf"),
    "sigmoid_clipped": ("sigmoid/negative-20", "wrong number"),
    "sigmoid_slope_of_log": ("sigmoid_vjp/moderate", "wrong number"),
    "log_sigmoid_slope_mirrored": ("log_sigmoid_vjp/negative-5", "wrong number"),
    "forward_as_reverse": ("log_softmax_jvp/unit-direction", "wrong number"),
    "entropy_in_bits": ("entropy/dyadic", "wrong number"),
    "zero_log_zero": ("entropy/zeros", "nan"),
    "divergence_without_sums": ("kl_divergence/sums-differ", "wrong number"),
    "divergence_swapped": ("kl_divergence/order", "wrong number"),
    "divergence_clipped": ("kl_divergence/zero-in-q", "wrong number"),
    "divergence_sign": ("kl_divergence/one-hot", "wrong number"),
    "answers_weighted_mean": ("binary_cross_entropy/weight", "wrong number"),
    "pos_weight_for_all": ("binary_cross_entropy/pos-weight", "wrong number"),
    "slope_of_absolute": (
        "binary_cross_entropy_grad/pos-weight-at-zero",
        "wrong number",
    ),
    "curvature_without_the_mean": ("cross_entropy_hvp/classes-3", "wrong number"),
    "curvature_of_a_label": ("cross_entropy_hvp/soft-sums-to-two", "wrong number"),
    "bfloat16_accumulator": ("softmax/more-ties-than-bfloat16-counts", "wrong number"),
    "float16_flushes": ("softmax/subnormal-float16", "wrong number"),
    "float16_sum_of_losses": (
        "cross_entropy/mean-within-float16-sum-beyond",
        "+inf",
    ),
}

# Who is good enough for everybody, and not for the strict grade.
CAUGHT_STRICTLY = {
    "bfloat16_truncated": ("softmax/classes-10", "wrong number"),
}


FURTHER = (
    "softmax_jvp",
    "log_softmax_jvp",
    "logsumexp_jvp",
    "sigmoid",
    "log_sigmoid",
    "sigmoid_vjp",
    "log_sigmoid_vjp",
    "entropy",
    "kl_divergence",
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
)


def verdicts(
    adapter: str | Path, cases: Iterable[Case], gate: str = "standard"
) -> list[Verdict]:
    path = ZOO / f"{adapter}.py" if isinstance(adapter, str) else adapter

    def say(
        claim: Claim,
        observation: Observation,
        arguments: Mapping[str, Array],
        hello: Mapping[str, object],
    ) -> Verdict:
        return judge(claim, observation, arguments, oracle.reference, rules, gate=gate)

    found = run(
        resolve(str(path), sys.executable),
        list(cases),
        say,
        select=lambda claim: gate == "hra" or claim.grade != "hra",
    )
    assert not found.suite_errors
    assert len(found.verdicts) == found.planned
    return found.verdicts


def test_every_animal_is_expected() -> None:
    wrong = {path.stem for path in ZOO.glob("[!_]*.py")} - {
        "right_numpy",
        "right_decimal",
        "right_short",
    }
    assert wrong == {*CAUGHT, *CAUGHT_STRICTLY}


@pytest.mark.parametrize("adapter", CAUGHT)
def test_a_wrong_implementation_is_caught_by_name(adapter: str) -> None:
    name, outcome = CAUGHT[adapter]
    # What came before matters to one that repeats its last answer.
    asked = [CASES["softmax/gap-5"], CASES[name]]
    failed = [v for v in verdicts(adapter, asked) if v.case == name and v.cls == "fail"]
    assert outcome in {verdict.outcome for verdict in failed}
    assert {verdict.level for verdict in failed} <= {
        "required",
        "implementation-defined",
    }
    assert all(verdict.reason for verdict in failed)


@pytest.mark.parametrize("adapter", CAUGHT_STRICTLY)
def test_what_only_the_strict_grade_catches(adapter: str) -> None:
    name, outcome = CAUGHT_STRICTLY[adapter]
    found = {v.grade: v for v in verdicts(adapter, [CASES[name]], "hra")}
    assert (found["hra"].cls, found["hra"].outcome) == ("fail", outcome)
    assert found["standard"].cls == "pass"


def test_the_catching_cases_pass_what_is_right() -> None:
    names = {name for name, _ in CAUGHT.values()}
    asked = [CASES[name] for name in sorted(names)]
    found = verdicts("right_numpy", [c for c in asked if "float32" in c.dtypes])
    found += verdicts("right_short", [c for c in asked if "float16" in c.dtypes])
    assert [v.key for v in found if v.cls != "pass"] == []


@pytest.mark.parametrize(
    ("adapter", "gate"), [("right_numpy", "standard"), ("right_short", "standard")]
)
def test_no_false_alarm_on_a_right_implementation(adapter: str, gate: str) -> None:
    offered = (
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy",
        "cross_entropy_grad",
        "cross_entropy_hvp",
        *FURTHER,
    )
    # Plain NumPy makes no limit of an infinite logit, and reads its labels by dtype.
    apart = ("plus-inf", "all-minus-inf", "overflowing-gap", "at-infinity")
    cases = [
        case
        for case in CASES.values()
        if case.operation in offered
        and case.accept == ("reference",)
        and case.level == "required"
        and not any(word in case.id for word in apart)
    ]
    assert len(cases) > 700
    found = verdicts(adapter, cases, gate)
    assert [v.key for v in found if v.cls != "pass"] == []


def test_no_false_alarm_on_a_right_implementation_in_another_style() -> None:
    names = [
        f"{operation}/{name}"
        for operation in (
            "softmax",
            "log_softmax",
            "logsumexp",
            "cross_entropy",
            "cross_entropy_grad",
            "cross_entropy_hvp",
        )
        for name in (
            "classes-2",
            "classes-3",
            "classes-10",
            "near-ties",
            "offset-1000",
            "gap-5",
            "gap-20",
            "gap-10-at-label",
            "gap-20-elsewhere",
            "soft-negative",
            "soft-sums-to-two",
            "axis-first",
            "axis-middle",
            "weight",
            "weight-smoothed-soft",
            "weight-ignored-smoothed",
            "axis-middle-all-options",
        )
        if f"{operation}/{name}" in CASES
    ]
    assert len(names) > 55
    names += [
        f"{operation}/{name}"
        for operation in FURTHER
        for name in (
            "moderate",
            "classes-10",
            "zero",
            "negative-20",
            "negative-80",
            "positive-7",
            "far-below-exp-range",
            "dyadic",
            "nearly-certain",
            "order",
            "near-2-5",
            "rare-in-q",
            "sums-differ",
            "both-weights",
        )
        if f"{operation}/{name}" in CASES
    ]
    assert len(names) > 85
    found = verdicts("right_decimal", [CASES[name] for name in names])
    assert [v.key for v in found if v.cls != "pass"] == []


def test_the_adapter_in_the_readme_works(tmp_path: Path) -> None:
    readme = (ZOO.parents[1] / "conformance" / "README.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    assert len(code.splitlines()) <= 25
    path = tmp_path / "my_kernel.py"
    path.write_text(code, "utf-8")
    found = verdicts(path, CASES.values())
    apart = ("plus-inf", "minus-inf", "overflowing-gap", "no-classes")
    failed = [v.case for v in found if v.cls == "fail"]
    assert [name for name in failed if not any(w in name for w in apart)] == []
    assert sum(v.cls == "pass" for v in found) > 200
