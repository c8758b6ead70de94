"""The shape of the code base: import direction, sizes, and what must never appear in it."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "eclare_py"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

LADDER = (
    ("errors", "types", "kernel_flags", "prefetch", "registers", "sparse", "threads"),
    ("quantize", "codebook"),
    ("storage", "distributed"),
    ("config", "recipes"),
    ("data", "graph", "metrics"),
    ("features", "model", "index", "linear", "rank"),
    ("train", "labels"),
    ("finetune",),
    ("persist",),
    ("estimator",),
    ("hub", "engines"),
    ("report",),
    ("cli", "serve"),
)
RUNG = {part: rung for rung, parts in enumerate(LADDER) for part in parts}
MAX_FILE, MAX_FUNCTION = 400, 80

CODE_RUNNERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_BUILTINS = {"eval", "exec", "compile", "__import__"}
UNSAFE_CALLS = {
    ("torch", "load"),
    ("torch", "save"),
    ("yaml", "load"),
    ("yaml", "load_all"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def part_of(path: Path) -> str:
    """`eclare_py/graph/walks.py` -> graph; `eclare_py/config.py` -> config."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST, package: list[str]) -> set[str]:
    """Full names of all that a file of `package` imports, wherever it does; relative imports are resolved."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def imported_parts(path: Path) -> set[str]:
    package = ["eclare_py", *path.relative_to(PACKAGE).parts[:-1]]
    names = imported_modules(tree_of(path), package)
    return {name.split(".")[1] for name in names if name.startswith("eclare_py.")} & set(RUNG)


def unsafe_uses(tree: ast.AST) -> list[str]:
    """Everything that would run code from a file that is only meant to be read."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in CODE_RUNNERS]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] if node.module.split(".")[0] in CODE_RUNNERS else []
            found += [f"{node.module}.{a.name}" for a in node.names if (node.module, a.name) in UNSAFE_CALLS]
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            found += [f"{owner}.{node.attr}"] if (owner, node.attr) in UNSAFE_CALLS else []
            found += [node.attr] if node.attr in {"read_pickle", "to_pickle"} else []
        elif isinstance(node, ast.Call):
            found += [node.func.id] if isinstance(node.func, ast.Name) and node.func.id in UNSAFE_BUILTINS else []
            found += [
                k.arg
                for k in node.keywords
                if k.arg == "allow_pickle" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
            ]
    return found


def printing(tree: ast.AST) -> list[int]:
    return [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "print"]


def test_every_module_has_a_rung() -> None:
    strangers = {part_of(path) for path in SOURCES} - set(RUNG) - {"__init__", "__main__"}
    assert not strangers, f"give these a rung in LADDER: {sorted(strangers)}"


def test_imports_go_down_the_ladder() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in SOURCES
        if part_of(path) in RUNG
        for other in imported_parts(path)
        if RUNG[other] > RUNG[part_of(path)]
    ]
    assert not wrong, "\n".join(wrong)


def test_parts_of_one_rung_do_not_import_each_other() -> None:
    edges = {(part_of(p), other) for p in SOURCES if part_of(p) in RUNG for other in imported_parts(p)}
    mutual = {(a, b) for a, b in edges if a < b and (b, a) in edges}
    assert not mutual


def test_relative_imports_are_resolved() -> None:
    source = (
        "from ..types import Csr\nfrom . import bag\ndef f():\n    from eclare_py.data import dataset\n    import torch"
    )
    found = imported_modules(ast.parse(source), ["eclare_py", "features"])
    assert found == {"eclare_py.types.Csr", "eclare_py.features.bag", "eclare_py.data.dataset", "torch"}
    assert imported_parts(PACKAGE / "types.py") == set()


def test_files_and_functions_stay_short() -> None:
    long_files = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > MAX_FILE}
    long_functions = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= MAX_FUNCTION
    ]
    assert not long_files
    assert not long_functions


def test_nothing_can_run_code_from_a_file() -> None:
    found = {str(path.relative_to(ROOT)): uses for path in SOURCES if (uses := unsafe_uses(tree_of(path)))}
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from pickle import loads",
        "torch.load('m.pt')",
        "from torch import load",
        "yaml.load(text, Loader=x)",
        "np.load('a.npy', allow_pickle=True)",
        "np.load('a.npy', allow_pickle=flag)",
        "eval('1')",
        "frame.to_pickle('x')",
    ],
)
def test_the_check_sees_each_way_of_running_code(source: str) -> None:
    assert unsafe_uses(ast.parse(source))


def test_the_check_lets_safe_forms_pass() -> None:
    safe = "np.load('a.npy', allow_pickle=False)\nyaml.safe_load(text)\nre.compile('a')\nmodel.eval()"
    assert unsafe_uses(ast.parse(safe)) == []


def loose_mathematics(tree: ast.AST) -> list[int]:
    """Lines where a compiled kernel is allowed more than `SUM_FLAGS`, which say why that is not reproducible."""
    keywords = (k for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords if k.arg == "fastmath")
    return [k.value.lineno for k in keywords if not (isinstance(k.value, ast.Name) and k.value.id == "SUM_FLAGS")]


def test_kernels_keep_to_reproducible_mathematics() -> None:
    assert not {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := loose_mathematics(tree_of(path)))}
    assert loose_mathematics(ast.parse("@njit(fastmath=True)\ndef f(): ...")) == [1]


def parallel_loops(tree: ast.AST) -> list[int]:
    """Lines where a compiled kernel starts threads of its own, see `threads.py`."""
    keywords = (k for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords if k.arg == "parallel")
    return [k.value.lineno for k in keywords]


def test_kernels_have_no_parallel_loops() -> None:
    assert not {str(path.relative_to(ROOT)): lines for path in SOURCES if (lines := parallel_loops(tree_of(path)))}
    assert parallel_loops(ast.parse("@njit(cache=True, parallel=True)\ndef f(): ...")) == [1]


def test_only_the_command_line_prints() -> None:
    silent = [path for path in SOURCES if part_of(path) != "cli"]
    assert not {str(path.relative_to(ROOT)): lines for path in silent if (lines := printing(tree_of(path)))}
    assert printing(ast.parse("print('x')")) == [1]


def test_every_test_file_asserts() -> None:
    assert len(TESTS) > 1
    asserting = [p for p in TESTS if any(isinstance(node, ast.Assert) for node in ast.walk(tree_of(p)))]
    assert not set(TESTS) - set(asserting)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    banned = {"skip", "skipif", "xfail", "importorskip"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in banned
    ]
    assert not found


def loaded_after(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_import_is_light() -> None:
    heavy = {"torch", "torch_geometric", "transformers", "sentence_transformers", "sklearn", "numba", "scipy", "numpy"}
    assert not heavy & loaded_after("import eclare_py; eclare_py.__version__")


def test_a_public_name_loads_on_use() -> None:
    loaded = loaded_after("import eclare_py; eclare_py.Ranking")
    assert "numpy" in loaded
    assert not {"torch", "transformers"} & loaded


def test_the_command_line_starts_without_what_takes_seconds_to_load() -> None:
    heavy = {"torch", "torch_geometric", "sklearn", "scipy.stats", "scipy.optimize"}
    loaded = loaded_after("import eclare_py.cli.app")
    assert "typer" in loaded and not heavy & loaded


def test_metrics_do_not_load_torch() -> None:
    files = [p for p in SOURCES if part_of(p) == "metrics"]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in files]
    assert "torch" not in loaded_after("; ".join(["import eclare_py", *(f"import {name}" for name in names)]))


def test_public_names_are_few_and_an_unknown_one_is_refused() -> None:
    import eclare_py

    assert len(eclare_py.__all__) <= 12
    assert set(eclare_py.__all__) <= set(dir(eclare_py))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = eclare_py.Nothing


def test_version_and_constraints_agree_with_the_project_file() -> None:
    import eclare_py

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    assert project["version"] == eclare_py.__version__
    assert all("==" in pin for pin in pins)
    assert not {d.split(">=")[0].split("[")[0].lower().replace("_", "-") for d in wanted} - pinned
