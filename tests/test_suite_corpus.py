"""The corpus gives exactly what it spells, and refuses what it cannot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from suite_bench import case
from sxlit_conformance import corpus, wire
from sxlit_conformance.corpus import CorpusError
from sxlit_conformance.exact import Generators, number, rounded
from sxlit_conformance.expression import ExpressionError, parse
from sxlit_conformance.model import Array, Case, Source
from sxlit_conformance.operations import OPERATIONS

TEXT = """
[[case]]
id = "softmax/one"
why = "because"
source = "tests"
arguments.x = { values = [[20, "0x1.8p+1", "-inf", "nan", "-0.0"]] }
"""


def thirds(rows: int, scale: float = 1.0) -> Array:
    return np.full((rows, 2), scale / 3)


def powers(rows: int, dtype: str) -> Array:
    return np.full((rows, 2), 2.0 ** -(100 if dtype == "float64" else 10))


GENERATORS: Generators = {"thirds": thirds, "powers": powers}


def load(folder: Path, text: str, name: str = "softmax") -> tuple[Case, ...]:
    (folder / f"{name}.toml").write_text(text)
    return corpus.load(folder, GENERATORS)


def test_defaults_and_exact_bits(tmp_path: Path) -> None:
    (one,) = load(tmp_path, TEXT)
    assert one.dtypes == ("float32", "float64", "float16", "bfloat16")
    assert one.grades == ("standard", "hra")
    assert one.accept == ("reference",)
    assert (one.level, one.layout) == ("required", "contiguous")
    x = corpus.materialise(one, "float32", GENERATORS)["x"]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[20, 3, -np.inf, np.nan, 0]])
    assert np.signbit(x[0, 4])
    assert corpus.options(one) == {"axis": -1}


def test_a_contract_has_one_grade(tmp_path: Path) -> None:
    (one,) = load(tmp_path, TEXT + 'accept = ["raises", "nan"]\n')
    assert one.grades == ("contract",)


def test_shapes_and_fixed_dtypes(tmp_path: Path) -> None:
    text = """
[[case]]
id = "cross_entropy/empty"
why = "because"
source = "tests"
options = { reduction = "none", axis = 1 }
arguments.logits = { values = [], shape = [0, 3] }
arguments.targets = { values = [], dtype = "int32" }
"""
    (one,) = load(tmp_path, text, "cross_entropy")
    bits = corpus.materialise(one, "float64", GENERATORS)
    assert [(a.shape, a.dtype.name) for a in bits.values()] == [
        ((0, 3), "float64"),
        ((0,), "int32"),
    ]


def test_a_short_dtype_rounds_once_and_has_its_grades(tmp_path: Path) -> None:
    text = change("20", '"0x1.0100000001p0"') + (
        'dtypes = ["float16", "bfloat16"]\nhra_only = ["bfloat16"]\n'
    )
    (one,) = load(tmp_path, text)
    assert [one.graded(d) for d in one.dtypes] == [("standard", "hra"), ("hra",)]
    first = {d: corpus.materialise(one, d, GENERATORS)["x"][0, 0] for d in one.dtypes}
    assert float(first["bfloat16"]) == 1 + 2**-7  # not 1.0, as by way of float32
    assert float(first["float16"]) == 1 + 2**-8


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_rounding_is_to_nearest_even_in_one_step(name: str) -> None:
    """Against the definition: no number of the dtype is nearer, and ties are even."""
    kind = wire.dtype(name)
    with np.errstate(invalid="ignore"):  # some of the NaN are signalling ones
        bits = np.arange(2**16, dtype=np.uint16).view(kind).astype(np.float64)
    numbers = np.unique(bits[np.isfinite(bits)])
    assert (rounded(numbers, name).astype(np.float64) == numbers).all()
    below, above = numbers[:-1], numbers[1:]
    middle = below + (above - below) / 2  # exact in float64
    found = rounded(middle, name)
    even = found.view(np.uint16) % 2 == 0
    assert even[found.astype(np.float64) != 0].all()
    assert np.isin(found.astype(np.float64), [below, above]).all()
    for side, toward in ((below, -np.inf), (above, np.inf)):
        near = rounded(np.nextafter(middle, toward), name).astype(np.float64)
        assert (near == side).all()
    largest = float(numbers[-1])
    edge = largest + (largest - float(numbers[-2])) / 2
    special = [edge, np.nextafter(edge, 0), -edge, np.inf, np.nan, -0.0]
    back = rounded(np.array(special), name)
    np.testing.assert_array_equal(
        back.astype(np.float64), [np.inf, largest, -np.inf, np.inf, np.nan, 0.0]
    )
    assert np.signbit(back[-1])


def change(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


VALUES = '{ values = [[20, "0x1.8p+1", "-inf", "nan", "-0.0"]] }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (change('why = "because"', ""), "softmax/one: why missing"),
        (change('source = "tests"', 'source = " "'), "source: expected some text"),
        (change('id = "softmax/one"', ""), "a case without id: id missing"),
        (change("softmax/one", "Softmax one"), "id: expected lower-case"),
        (TEXT + TEXT, "softmax/one: already in softmax.toml"),
        (TEXT + "colour = 1\n", "softmax/one: unknown key colour"),
        (TEXT + 'layout = "zigzag"\n', "layout: 'zigzag' is not one of"),
        (TEXT + 'level = "nice"\n', "level: 'nice' is not one of"),
        (TEXT + 'accept = ["crashes"]\n', "accept: 'crashes' is not one of"),
        (TEXT + "accept = []\n", "accept: expected a list"),
        (TEXT + 'dtypes = ["float8"]\n', "dtypes: 'float8' is not one of"),
        (TEXT + 'not_in = ["float16"]\n', "not_in: expected reasons"),
        (TEXT + 'not_in.float16 = ""\n', "not_in: expected reasons"),
        (TEXT + 'not_in.float32 = "no"\n', "not_in: expected reasons"),
        (
            TEXT + 'not_in.float16 = "no"\ndtypes = ["float32"]\n',
            "not_in: says nothing beside dtypes",
        ),
        (
            TEXT + 'not_in.float16 = "no"\nhra_only = ["float16"]\n',
            "hra_only: 'float16' is not one of",
        ),
        (
            TEXT + 'grades = ["hra"]\nhra_only = ["float16"]\n',
            "hra_only: says nothing where there is one grade",
        ),
        (TEXT + 'layout = "bigendian"\n', "no bfloat16 in big-endian order"),
        (change("20", "65520"), "x: .*65520.* is beyond the range of float16"),
        (change("20", '"0x1p-25"'), "x: .* is beyond the range of float16"),
        (change("20", '"0x1.ffp127"'), "x: .* is beyond the range of"),
        (TEXT + 'grades = ["best"]\n', "grades: 'best' is not one of"),
        (TEXT + 'accept = ["nan"]\ngrades = ["hra"]\n', "grades: a case with another"),
        (TEXT + "options = { base = 2 }\n", "options: 'base' is not one of axis"),
        (TEXT + 'options = { axis = "last" }\n', "options.axis: expected an integer"),
        (change("arguments.x", "arguments.y"), "arguments: expected x"),
        (change("20", "0.1"), "softmax/one: x: 0.1 is no double; write one"),
        (change("20", '"0x1.000001p0"'), "x: .* is not exact in float32"),
        (change("20", "16777217"), "x: .* is not exact in float32"),
        (change("20", "'0x1p200'"), "x: .* is not exact in float32"),
        (change("20", '"many"'), "x: "),
        (change("20", "[1]"), "x: "),
        (change('"nan"', "9007199254740993"), "9007199254740993 is no double"),
        (change(" }", ', dtype = "int64" }'), "is not exact in int64"),
        (change(" }", ', dtype = "text" }'), "dtype 'text' is not one of"),
        (change(" }", ", shape = [2, 2] }"), "cannot reshape"),
        (change(" }", ", shape = [-1] }"), "shape: expected a list of integers"),
        (change(" }", ", rows = 2 }"), "unknown key rows beside values"),
        (change(VALUES, '{ generator = "none" }'), "generator 'none' is not one of"),
        (change(VALUES, '{ generator = "thirds" }'), "missing a required argument"),
        (change(VALUES, '{ generator = "thirds", rows = 1, x = 2 }'), "unexpected"),
        (change(VALUES, "3"), "arguments.x: expected a table"),
        ("case = 3", "softmax.toml: expected .*case"),
        ("[[case]", "softmax.toml: "),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith("softmax.toml: ")


LOSS = """
[[case]]
id = "cross_entropy/one"
why = "because"
source = "tests"
arguments.logits = { values = [[1, 2]] }
arguments.targets = { values = [0], dtype = "int64" }
"""
SURVEY = LOSS + 'topic = "t"\nquestion = "q?"\n'


def test_options_are_exact_and_sent_where_they_stand(tmp_path: Path) -> None:
    text = LOSS + (
        "options = { label_smoothing = 0.125, ignore_index = -100 }\n"
        "arguments.weight = { values = [0.5, 3] }\n"
    )
    (one,) = load(tmp_path, text, "cross_entropy-options")
    assert corpus.options(one) == {
        "axis": -1,
        "reduction": "mean",
        "label_smoothing": 0.125,
        "ignore_index": -100,
    }
    bits = corpus.materialise(one, "float32", GENERATORS)
    assert list(bits) == ["logits", "targets", "weight"]
    assert bits["weight"].dtype == np.float32
    (bare,) = load(tmp_path, LOSS, "cross_entropy-options")
    assert set(corpus.options(bare)) == {"axis", "reduction"}
    assert set(corpus.materialise(bare, "float32", GENERATORS)) == {"logits", "targets"}


def test_a_survey_accepts_its_candidates(tmp_path: Path) -> None:
    text = SURVEY + (
        'accept = ["raises"]\noptions = { ignore_index = 1 }\n'
        'candidates."as asked" = {}\n'
        'candidates."dropped" = { without = ["ignore_index"] }\n'
    )
    (one,) = load(tmp_path, text, "cross_entropy-survey")
    assert one.accept == ("as asked", "dropped", "raises")
    assert one.grades == ("contract",)
    found = [q.options for _, q in corpus.meanings(one, "float32", GENERATORS)]
    assert [options.get("ignore_index") for options in found] == [1, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("options = { label_smoothing = 0.1 }", "label_smoothing: 0.1 is no double"),
        ("options = { label_smoothing = [1] }", "options.label_smoothing: "),
        ("options = { label_smoothing = '0x1.000001p-3' }", "not exact in float32"),
        ("options = { ignore_index = 1.5 }", "ignore_index: expected an integer"),
        ("options = { weight = 1 }", "options: 'weight' is not one of axis"),
        ("arguments.weight = { values = [0.1] }", "weight: 0.1 is no double"),
        ("arguments.v = { values = [1] }", "expected logits, targets, and perhaps w"),
        ('topic = "t"', "question: expected some text"),
        ("candidates.a = {}", "topic: expected some text"),
        ('topic = "t"\nquestion = "q?"', "a survey needs candidates, or words"),
        (
            'topic = "t"\nquestion = "q?"\naccept = ["reference"]',
            "has candidates, and no reference",
        ),
        (
            'topic = "t"\nquestion = "q?"\ncandidates.a = { options = { base = 2 } }',
            "options: 'base' is not one of",
        ),
        (
            'topic = "t"\nquestion = "q?"\ncandidates.a = { arguments.v.values = [1] }',
            "candidates: v: no argument of cross_entropy",
        ),
        ('topic = "t"\nquestion = "q?"\ncandidates.a = 3', "expected tables of"),
    ],
)
def test_what_is_not_clear_of_an_option_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        load(tmp_path, LOSS + text + "\n", "cross_entropy")


def test_a_file_is_named_after_its_operation(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"sotfmax\.toml: expected the name of an op"):
        load(tmp_path, TEXT, "sotfmax")


def test_what_is_generated_is_exact_too() -> None:
    rounded = case("g", None, arguments={"x": Source(None, "thirds", {"rows": 1})})
    with pytest.raises(CorpusError, match=r"softmax/g: x: .* is not exact in float32"):
        corpus.materialise(rounded, "float32", GENERATORS)
    fine = case("g", None, arguments={"x": Source(None, "powers", {"rows": 1})})
    for name, power in (("float32", -10), ("float64", -100)):
        x = corpus.materialise(fine, name, GENERATORS)["x"]
        assert x.tolist() == [[2.0**power] * 2]


def test_the_hash_is_of_what_is_asked() -> None:
    one, other = case("one", ((0, 1),)), case("other", ((0, 1),))
    assert corpus.digest([one, other], {}) == corpus.digest([other, one], {})
    assert corpus.digest([one], {}) != corpus.digest([other], {})
    assert corpus.digest([one], {}) != corpus.digest([case("one", ((0, 2),))], {})
    source = Source(None, "powers", {"rows": 1})
    made = case("one", None, arguments={"x": source})

    def flat(rows: int, dtype: str) -> Array:
        return np.zeros((rows, 2))

    before = corpus.digest([made], GENERATORS)
    assert before != corpus.digest([made], {"powers": flat})


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x1p-1074", 5e-324), ("0x.8p1", 1.0), ("-0x1.8P+1", -3.0), ("1e3", 1000.0)],
)
def test_numbers(text: str, value: float) -> None:
    if text == "0x.8p1":
        with pytest.raises(ValueError, match="Invalid literal"):
            number(text)
    else:
        assert number(text) == value


def test_the_corpus_that_ships() -> None:
    cases = corpus.load()
    assert len(cases) >= 200
    assert {entry.operation for entry in cases} == set(OPERATIONS)
    assert Counter(entry.id for entry in cases).most_common(1)[0][1] == 1
    order = [list(OPERATIONS).index(entry.operation) for entry in cases]
    assert order == sorted(order)
    assert len(corpus.digest(cases)) == 64


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "int8", "uint64", "bool"]
)
def test_bits_survive_the_wire(dtype: str) -> None:
    kind = wire.dtype(dtype)
    bits = np.arange(24 * kind.itemsize, dtype=np.uint8) % 2
    array = bits.view(kind).reshape(2, 3, 4)
    for sent in (array, array[::-1, :, ::2], array[:0], np.asarray(array[0, 0, 0])):
        back = wire.decode(wire.unpack(wire.pack(wire.encode(sent))))
        assert back.dtype == kind
        assert back.shape == sent.shape
        assert back.tobytes() == sent.tobytes()
        assert back.flags.writeable
    if kind.kind != "V":
        big = array.astype(kind.newbyteorder(">"))
        assert wire.decode(wire.encode(big)).tobytes() == array.tobytes()


@pytest.mark.parametrize("layout", wire.LAYOUTS)
def test_layouts_change_no_value(layout: str) -> None:
    for shape in ((2, 3, 4), (0, 3), (5,), ()):
        array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(np.float32)
        found = wire.arrange(array, layout)
        np.testing.assert_array_equal(found, array)
    matrix = np.arange(6.0).reshape(2, 3)
    found = wire.arrange(matrix, layout)
    assert found.flags.f_contiguous == (layout == "fortran")
    assert found.flags.c_contiguous == (
        layout in ("contiguous", "readonly", "bigendian")
    )
    assert found.flags.writeable == (layout != "readonly")
    assert (found.strides[0] < 0) == (layout == "reversed")
    assert (found.dtype.byteorder == ">") == (layout == "bigendian")


def test_expressions() -> None:
    key = "softmax/gap-20@float32/cpu/eager/hra"
    for text, holds in (
        ("gap", True),
        ("GAP-20", True),
        ("gap and not hra", False),
        ("tie or gap", True),
        ("not (tie or gap)", False),
        ("not not gap", True),
        ("tie or gap and float64", False),
        ("(tie or gap) and float32", True),
    ):
        assert parse(text)(key) is holds


@pytest.mark.parametrize("text", ["", "and", "a b", "(a", "a)", "a or", "not", "()"])
def test_an_expression_that_says_nothing(text: str) -> None:
    with pytest.raises(ExpressionError, match="expected") as caught:
        parse(text)
    assert "\n" not in str(caught.value)
