"""The habits of the project, one session each. `nox --list` is the manual."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
CONSTRAINTS = ("-c", "constraints.txt")
CHECKED = ("sxlit", "conformance", "tests", "tools", "benchmarks", "book/_ext")
# A page whose name ends in _torch, _tensorflow or _jax runs in an environment of its
# own, with these; all others run in that of the book.
NOTEBOOKS = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow-cpu",),
    "jax": ("jax", "optax"),
    "book": (),  # last: its figure shows the curves that the others write
}
FRAMEWORKS = {
    "sxlit": (("sxlit", "sxlit-fast", "numpy-naive"), ("numba", "scipy")),
    "torch": (("torch", "sxlit-torch"), ("torch", "numba")),
    "tensorflow": (("tensorflow",), ("tensorflow-cpu",)),
    "jax": (("jax", "sxlit-jax"), ("jax", "optax", "numba")),
}
DROP_INS = ("torch", "jax")  # sxlit.NAME, which only its own environment can import
# Who is timed beside sxlit.fast, in an environment each.
ROOMS = {
    "torch": ("scipy", "torch", "onnx", "onnxruntime"),
    "jax": ("jax", "optax"),
    "tensorflow": ("tensorflow-cpu",),
}
# Who is timed beside sxlit.linear.
LAYERS = {"layer-torch": ("torch",), "layer-jax": ("jax", "optax")}
# What a machine with a CUDA device installs instead.
CUDA_PACKAGES = {
    "torch": ("torch",),
    "tensorflow": ("tensorflow[and-cuda]",),
    "jax": ("jax[cuda13]", "optax"),
}

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True


def install(session: nox.Session, *packages: str) -> None:
    """Install the checkout, editable, and what else the session needs, pinned."""
    # Of a framework's thousands of modules, few are ever compiled: those imported.
    session.install("--no-compile", *CONSTRAINTS, *packages)
    session.env["PYTHONPYCACHEPREFIX"] = str(ROOT / ".cache" / "bytecode")
    # One oracle for all sessions: what one has enclosed, no other computes again.
    session.env["SXLIT_ORACLE_CACHE"] = str(ROOT / ".cache" / "oracle")
    # Numba looks whether a function's own file has changed, not those that it calls.
    session.env["NUMBA_CACHE_DIR"] = str(ROOT / ".cache" / "numba" / sources())


def sources() -> str:
    """A name for the state of the compiled modules and of what they call."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "sxlit").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@nox.session(default=False)
def export(session: nox.Session) -> None:
    """Write sxlit/ from the notebooks; with `-- --check`, fail where they differ."""
    install(session, "nbdev", "ruff")
    session.run("python", "tools/export.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the export, the style of code, and the form of the notebooks."""
    install(session, "nbdev", "ruff", "nbclient", "nbformat", "ipykernel")
    session.run("python", "tools/export.py", "--check")
    session.run("ruff", "check", *CHECKED, "book", "noxfile.py")
    session.run("ruff", "format", "--check", *CHECKED, "book", "noxfile.py")
    session.run("python", "tools/notebooks.py")


@nox.session
def types(session: nox.Session) -> None:
    """Type-check the packages, the tools and the book's extension."""
    kit = ("mypy", "nox", "pytest", "jupyter-book", "nbclient", "types-docutils")
    install(session, "-e", ".[conformance]", *kit)
    packages = ("sxlit", "conformance/sxlit_conformance", "book/_ext/sxlit_book")
    others = ("tools", "benchmarks", "book/digits.py", "noxfile.py")
    session.run("mypy", *packages, *others)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests and doctests; `-- --write` keeps what checks which theorem."""
    kit = ("hypothesis", "nbdev", "nbval", "nbclient", "ruff", "matplotlib")
    pytest = ("pytest", "pytest-xdist")
    install(session, "-e", ".[conformance,book,fast]", *pytest, *kit)
    strangers = [f"--ignore=sxlit/{name}.py" for name in DROP_INS]
    everything = ["-n", "2", "tests", "sxlit", *strangers, "--theorems"]
    match session.posargs:
        case []:
            arguments = [*everything, "check"]
        case ["--write"]:
            arguments = [*everything, "write"]
        case chosen:
            arguments = chosen
    session.run("pytest", "--doctest-modules", *arguments)


@nox.session
@nox.parametrize("part", list(NOTEBOOKS), ids=list(NOTEBOOKS))
def notebooks(session: nox.Session, part: str) -> None:
    """Execute every notebook and compare with its outputs; `-- --write` stores them.

    The environments that a drop-in needs run its tests, too.
    """
    write = session.posargs[:1] == ["--write"]
    chosen = chapters(part, session.posargs[write:])
    if not chosen:
        session.skip(f"none of {session.posargs} runs with {part}")
    kit = ("nbval", "pytest-xdist", "nbclient", "ipykernel", "nbformat")
    packages = ("matplotlib", "scikit-learn", *NOTEBOOKS[part])
    install(session, "-e", ".[fast]", *kit, *packages)
    if write:
        session.run("python", "tools/notebooks.py", "--write", *chosen)
        return
    session.run("python", "tools/notebooks.py", *chosen)
    spread = ("-n", "2", "--dist", "loadscope") if len(chosen) > 1 else ()
    session.run("pytest", "--nbval", "--nbval-current-env", *spread, *chosen)
    if part in DROP_INS and not session.posargs:
        module, laws = f"sxlit/{part}.py", f"tests/frameworks/test_{part}.py"
        session.run("pytest", "-n", "2", "--doctest-modules", module, laws)


def room(page: str) -> str:
    """The environment that a page runs in, which the end of its name says."""
    end = page.rpartition("_")[2]
    return end if end in NOTEBOOKS else "book"


def chapters(part: str, asked: list[str]) -> list[str]:
    """The notebooks that run in one environment; of those asked for, if any are."""
    paths = sorted((ROOT / "book").glob("*.ipynb"))
    own = {path for path in paths if room(path.stem) == part}
    wanted = {(ROOT / name).resolve() for name in asked} or own
    if strangers := wanted - set(paths):
        raise SystemExit(
            f"expected notebooks of book/, got {sorted(map(str, strangers))}"
        )
    return [str(path.relative_to(ROOT)) for path in paths if path in own & wanted]


@nox.session
def book(session: nox.Session) -> None:
    """Build the book from the committed outputs, and print where it is."""
    install(session, "-e", ".[conformance,book,fast]", "nbdev", "ruff")
    session.run("python", "tools/export.py", "--check")
    session.run("python", "tools/book.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Make wheel and sdist, and use both packages from the wheel alone."""
    session.install("build", "twine")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist", silent=True)
    session.run("twine", "check", "--strict", *map(str, ROOT.glob("dist/*")))
    (wheel,) = ROOT.glob("dist/*.whl")
    with tempfile.TemporaryDirectory() as empty:
        session.run("python", "-m", "venv", f"{empty}/venv")
        folder = Path(session.bin).name  # bin, or Scripts on Windows
        python = f"{empty}/venv/{folder}/python"
        pip = (python, "-m", "pip", "install", "--quiet")
        session.run(
            *pip, *CONSTRAINTS, f"{wheel}[conformance]", external=True, silent=True
        )
        script = str(ROOT / "tools" / "try_wheel.py")
        with session.chdir(empty):
            session.run(python, "-I", script, str(ROOT), external=True)


@nox.session
@nox.parametrize("framework", list(FRAMEWORKS), ids=list(FRAMEWORKS))
def conformance(session: nox.Session, framework: str) -> None:
    """Judge the frameworks, each in its own environment; `-- --write` keeps records."""
    adapters, packages = FRAMEWORKS[framework]
    install(session, "-e", ".[conformance]", *packages)
    # JAX compiles each step for each shape and dtype; what it compiled once, it reads.
    session.env["JAX_COMPILATION_CACHE_DIR"] = str(ROOT / ".cache" / "jax")
    session.env["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    session.env["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    records = ("tools/records.py", "--jobs", "2", *session.posargs)
    session.run("python", *records, *adapters)
    drop_ins = {f"sxlit-{name}" for name in DROP_INS}
    climbers = [name for name in adapters if name not in drop_ins]
    further = ("scipy",) if framework == "sxlit" else ()
    session.run("python", "tools/ladder.py", *session.posargs, *climbers, *further)


@nox.session(default=False)
@nox.parametrize("framework", list(CUDA_PACKAGES), ids=list(CUDA_PACKAGES))
def gpu(session: nox.Session, framework: str) -> None:
    """Judge the frameworks on a CUDA device; `-- --write` keeps the records."""
    install(session, "-e", ".[conformance]", *CUDA_PACKAGES[framework])
    session.run(
        "python", "tools/records.py", "--device", "cuda", *session.posargs, framework
    )


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Read the built book in headless Chromium: no request leaves, links work."""
    install(session, "playwright", "pytest")
    if not (ROOT / "_build" / "html" / "index.html").exists():
        session.error("no book to read: run `nox -s book` first")
    session.run("pytest", *(session.posargs or ["tests/browser"]))


@nox.session(default=False)
def pdf(session: nox.Session) -> None:
    """Print the book to _build/sxlit.pdf through headless Chromium."""
    install(session, "-e", ".[conformance,book,fast]")
    session.run("python", "tools/pdf.py", *session.posargs)


# Who is asked where; the last session compares, and writes the table.
ACCURACY = {
    "sxlit": (("sxlit", "double-double", "scipy"), ("scipy",)),
    "torch": (("torch",), ("torch",)),
    "tensorflow": (("tensorflow",), ("tensorflow-cpu",)),
    "jax": (("jax",), ("jax", "optax")),
    "table": ((), ()),
}


@nox.session(default=False)
@nox.parametrize("part", list(ACCURACY), ids=list(ACCURACY))
def accuracy(session: nox.Session, part: str) -> None:
    """Measure who rounds how many results correctly; `-- --write` keeps the table."""
    providers, packages = ACCURACY[part]
    install(session, "-e", ".[conformance]", *packages)
    session.env["SXLIT_ACCURACY"] = str(ROOT / ".cache" / "accuracy")
    script = "benchmarks/accuracy/measure.py"
    if part == "sxlit":
        session.run("python", script, "questions")
    if providers:
        session.run("python", script, "ask", *providers)
    else:
        session.run("python", script, "table", *session.posargs)


# "book" joins the tables of the others and runs the chapters that show them.
TIMED = [*ROOMS, *LAYERS, "core", "book"]


@nox.session(default=False)
@nox.parametrize("room", TIMED, ids=TIMED)
def bench(session: nox.Session, room: str) -> None:
    """Time the library against others; ratios of one run, never a verdict."""
    packages = {**ROOMS, **LAYERS}.get(room, ("scipy", "torch"))
    install(session, "-e", ".[fast]", *packages)
    table = ROOT / ".cache" / "bench" / f"{room}.csv"
    layers = table.parent / "layers"
    training = ROOT / ".cache" / "training" / f"{room}.csv"
    match room:
        case "layer-torch" | "layer-jax":
            name = room.removeprefix("layer-")
            csv = ("--csv", str(layers / f"{name}.csv"))
            session.run("python", "benchmarks/linear.py", name, *csv)
        case "core":
            session.run("python", "benchmarks/ratio.py")
            session.run("python", "benchmarks/softmax.py")
            session.run("python", "benchmarks/logsumexp.py", *session.posargs)
        case "book":
            session.run("python", "benchmarks/fast.py", "--join", str(table.parent))
            session.run("python", "benchmarks/steps.py", "--write")
            session.run("python", "benchmarks/linear.py", "--join", str(layers))
            folder = str(training.parent)
            session.run("python", "benchmarks/training.py", "--join", folder)
            session.install(*CONSTRAINTS, "nbclient", "ipykernel", "matplotlib")
            drawn = ("13_fastest_loss", "14_million_classes", "15_training_loop")
            pages = [f"book/{chapter}.ipynb" for chapter in drawn]
            session.run("python", "tools/notebooks.py", "--write", *pages)
        case _:
            session.run("python", "benchmarks/fast.py", room, "--csv", str(table))
            if room in DROP_INS:
                session.install(*CONSTRAINTS, "scikit-learn")
                script = "benchmarks/training.py"
                session.run("python", script, room, "--csv", str(training))
