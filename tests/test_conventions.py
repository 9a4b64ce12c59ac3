"""House rules that a machine can check, over the files of this checkout."""

import ast
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from figures.running.registry import figure_names
from tabular import dp
from tabular.counts import Counts
from tabular.exact_coverage import required_counts
from tabular.instances import chain_lock, softmax
from tabular.policies import BC, MixtureEstimator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "theory": {"theory"},
    "tabular": {"tabular", "theory"},
    "continuous": {"continuous", "theory"},
    "figures": {"figures", "tabular", "continuous", "theory"},
}
FOLDERS = {
    "theory": {
        "base": set(),
        "statistics": {"base", "claims"},
        "engines": {"base", "claims"},
        "bounds": {"base"},
        "proofs": {"base", "claims", "engines"},
    },
    "figures": {
        "look": set(),
        "running": {"look"},
        "exact": {"look", "running"},
        "control": {"look", "running"},
        "pages": {"look", "running", "control"},
        "lessons": {"look", "running", "exact"},
    },
}
"""What each folder of a package may import of that package, apart from itself."""
HALVES = {"running": set(), "look": set(), "control": {"continuous"}, "pages": set()}
"""Which halves of the project the folders of `figures` may import; the others may import both."""
OURS = {*PACKAGES, "paper_repro", "benchmarks", "tests"}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).glob("**/*.py"))
TESTS = sorted((ROOT / "tests").glob("**/*.py"))
SCRIPTS = sorted([*ROOT.glob("*.py"), *(ROOT / "benchmarks").glob("**/*.py")])
COMPILED = [path for path in MODULES if path.parent.name == "kernels" and path.name != "__init__.py"]
NOT_OURS = {".git", ".venv", "out", "build", "__pycache__"}
TEXTS = sorted(
    path
    for path in ROOT.glob("**/*")
    if path.is_file()
    and not NOT_OURS & set(path.relative_to(ROOT).parts)
    and not any(
        part.endswith(("_cache", ".egg-info")) or part == ".hypothesis" for part in path.relative_to(ROOT).parts
    )
    and (path.suffix in {".py", ".md", ".toml", ".txt", ".cff", ".html", ".yml", ".yaml", ".cfg", ".csv", ""})
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=name_of)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Dotted names of everything that is imported, anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(tree):
    return {name.partition(".")[0] for name in imported(tree)}


def dotted(node):
    """`np.random.seed` as a string, or nothing."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


# --- imports ----------------------------------------------------------------------------------------------------------


def test_the_lists_of_files_to_check_are_not_empty():
    assert {name_of(path) for path in MODULES} >= {
        "theory/base/validate.py",
        "tabular/kernels/sampling.py",
        "tabular/mdp.py",
    }
    assert ROOT / "pyproject.toml" in TEXTS
    assert {path.parent for path in COMPILED} == {ROOT / "tabular" / "kernels", ROOT / "continuous" / "kernels"}


@each(MODULES)
def test_imports_point_one_way(path):
    allowed = PACKAGES[path.relative_to(ROOT).parts[0]]
    assert roots(parsed(path)) & OURS <= allowed


IN_ROOMS = [
    path for path in MODULES if len(path.relative_to(ROOT).parts) > 2 and path.relative_to(ROOT).parts[0] in FOLDERS
]


@each(IN_ROOMS)
def test_folders_of_a_package_import_one_way(path):
    package, folder, *_ = path.relative_to(ROOT).parts
    names = {tuple(name.split(".")[:2]) for name in imported(parsed(path))}
    inside = {name[1] for name in names if name[0] == package and name[1:]}
    assert inside <= {folder, *FOLDERS[package][folder]}
    if package == "figures":
        halves = {name[0] for name in names} & {"tabular", "continuous"}
        assert halves <= HALVES.get(folder, {"tabular", "continuous"})


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def import_circle(imports):
    """Modules that import one another in a circle, or nothing.

    Parameters
    ----------
    imports : dict
        For each module, the modules that it imports.
    """
    left = {module: set(names) & imports.keys() for module, names in imports.items()}
    while free := [module for module, names in left.items() if not names & left.keys()]:
        for module in free:
            del left[module]
    if not left:
        return []
    path = [min(left)]  # each module that is left imports another one that is left
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]] & left.keys()))
    return path[path.index(path[-1]) :]


def test_no_modules_import_one_another_in_a_circle():
    """Imports inside functions count, too: moving one there would hide a circle and not remove it."""
    imports = {}
    for path in MODULES:
        names = set(imported(parsed(path)))
        imports[module_of(path)] = names | {name.rpartition(".")[0] for name in names}
    assert imports["figures.control.grid"] >= {"figures.control.variants"}
    assert import_circle(imports) == []


def test_the_search_for_import_circles_finds_them():
    assert import_circle({"a": {"b"}, "b": {"c", "numpy"}, "c": {"b"}}) == ["b", "c", "b"]
    assert import_circle({"a": {"a"}}) == ["a", "a"]
    assert import_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@each(MODULES + SCRIPTS + TESTS)
def test_matplotlib_is_imported_by_figures_alone_and_pyplot_by_nobody(path):
    names = list(imported(parsed(path)))
    assert not any("pyplot" in name or "pylab" in name for name in names)
    if not {"figures", "tests"} & set(path.relative_to(ROOT).parts):
        assert not any(name.startswith("matplotlib") for name in names)


@each(MODULES)
def test_numba_is_imported_by_the_kernels_alone(path):
    if path not in COMPILED:
        assert not {"numba", "llvmlite"} & roots(parsed(path))


@each(COMPILED)
def test_kernels_import_no_other_module_of_ours(path):
    """A compiled callee in another file would go stale in numba's cache without notice."""
    assert not OURS & roots(parsed(path))


def test_a_function_that_stands_in_two_files_of_kernels_is_the_same_in_both():
    copies = {}
    for path in COMPILED:
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef):
                copies.setdefault((path.parent, node.name), set()).add(ast.dump(node))
    assert not [name for (_, name), texts in copies.items() if len(texts) > 1]


@each(COMPILED)
def test_kernels_keep_nan_and_infinity_and_one_thread(path):
    calls = [
        node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call) and dotted(node.func).endswith("jit")
    ]
    assert calls
    for call in calls:
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        assert options.get("fastmath", set()) in (set(), {"reassoc", "contract"})
        assert not options.get("parallel", False)


@each([path for path in MODULES if path.name == "__init__.py"])
def test_a_package_opens_with_a_docstring_and_nothing_else(path):
    tree = parsed(path)
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@each([path for path in TESTS if path.stem.startswith("oracles")])
def test_oracles_stand_on_the_standard_library_alone(path):
    assert roots(parsed(path)) <= sys.stdlib_module_names


# --- chance -----------------------------------------------------------------------------------------------------------

GENERATORS = {"Generator", "default_rng", "SeedSequence", "BitGenerator", "PCG64", "PCG64DXSM", "Philox", "SFC64"}


@each(MODULES + SCRIPTS)
def test_nobody_draws_from_a_global_generator(path):
    tree = parsed(path)
    assert "random" not in roots(tree)
    for node in ast.walk(tree):
        found = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", dotted(node))
        assert not found or found[1] in GENERATORS, dotted(node)
    for name in imported(tree):
        assert not name.startswith("numpy.random.") or name.removeprefix("numpy.random.") in GENERATORS


@each(MODULES + SCRIPTS + TESTS)
def test_nobody_asks_the_machine_for_a_seed(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and dotted(node.func).endswith(("default_rng", "SeedSequence")):
            assert node.args or node.keywords, f"line {node.lineno}"


# --- documentation ----------------------------------------------------------------------------------------------------


def public_definitions(body, inside=""):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield inside + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{node.name}.")


def section(docstring, title):
    """Names that a numpydoc section documents."""
    match = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
    if not match:
        return []
    heads = [line for line in match[1].splitlines() if line and not line.startswith((" ", "-"))]
    return [name.strip().lstrip("*") for head in heads for name in head.partition(" :")[0].split(",")]


def annotated(node):
    """Names of a class's annotated fields."""
    return {field.target.id for field in node.body if isinstance(field, ast.AnnAssign)}


def signature(node):
    """Names of arguments; of a class, those of its constructor, or its annotated fields."""
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                return signature(member)
        return annotated(node)
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in named if argument}


DOCUMENTED = [
    pytest.param(node, id=f"{name_of(path)}:{name}")
    for path in MODULES
    for name, node in public_definitions(parsed(path).body)
]


@each(MODULES + SCRIPTS)
def test_a_file_says_what_it_is_for(path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("node", DOCUMENTED)
def test_what_is_public_is_documented_and_documented_arguments_exist(node):
    docstring = ast.get_docstring(node)
    assert docstring
    assert set(section(docstring, "Parameters")) <= signature(node)
    if isinstance(node, ast.ClassDef):
        assert set(section(docstring, "Attributes")) <= signature(node) | annotated(node)


def test_the_reader_of_docstrings_reads_them():
    docstring = inspect.cleandoc(dp.suboptimality.__doc__)
    assert section(docstring, "Parameters") == ["mdp", "demonstrator", "policy"]
    assert section(inspect.cleandoc(dp.Evaluation.__doc__), "Attributes") == ["value", "action_value"]
    assert section("Text.\n\nParameters\n----------\nx : int\n    Word.\n*rest, y\n", "Parameters") == [
        "x",
        "rest",
        "y",
    ]


def documented_shape(thing, title, head):
    """Shape after an entry such as `ndarray of int, (H, S)`."""
    text = inspect.cleandoc(thing.__doc__).partition(f"{title}\n{'-' * len(title)}\n")[2]
    return re.search(rf"^{head}[^\n]*?, \(([^)]*)\)", text, re.MULTILINE)[1].split(", ")


@pytest.mark.parametrize(
    ("thing", "title", "head", "found"),
    [
        (dp.occupancy, "Returns", "ndarray", lambda i: dp.occupancy(i.mdp, i.demonstrator)),
        (dp.Evaluation, "Attributes", "value", lambda i: dp.evaluate_policy(i.mdp, i.demonstrator).value),
        (dp.Evaluation, "Attributes", "action_value", lambda i: dp.evaluate_policy(i.mdp, i.demonstrator).action_value),
        (dp.Solution, "Attributes", "greedy", lambda i: dp.backward_induction(i.mdp).greedy),
        (MixtureEstimator.policy, "Returns", "ndarray", lambda i: BC.policy(Counts(np.ones(i.mdp.policy_shape, int)))),
        (required_counts, "Returns", "ndarray", lambda _: required_counts([1, 2, 3, 4, 5, 6], np.ones(4) / 4, BC, 0.5)),
    ],
)
def test_documented_shapes_are_those_that_come_back(thing, title, head, found):
    sizes = {"H": 3, "H+1": 4, "S": 2, "A": 4, "N": 6}
    assert found(chain_lock(3, 4, 0.5)).shape == tuple(sizes[word] for word in documented_shape(thing, title, head))


def test_softmax_has_the_shape_of_a_policy():
    mdp = chain_lock(3, 4, 0.5).mdp
    assert softmax(mdp, 1.0).shape == mdp.policy_shape


# --- files ------------------------------------------------------------------------------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.$}~])/(?:home|root|work|tmp|Users|mnt|opt|private|usr/local)/\w|\b[A-Z]:\\Users")


@each(TEXTS)
def test_no_file_names_a_place_on_one_machine(path):
    assert not MACHINE_PATH.search(path.read_text(encoding="utf-8"))


def test_the_search_for_machine_paths_finds_them():
    for place in ("home/me", "work/x", "tmp/x"):
        assert MACHINE_PATH.search(f"see /{place}")
    assert not MACHINE_PATH.search("https://example.org/home/x and a/tmp/b")


@each(MODULES + SCRIPTS + TESTS)
def test_a_file_is_named_plainly(path):
    assert re.fullmatch(r"[a-z0-9_]+(_T)?\.py", path.name)
    assert not {"utils", "util", "helper", "helpers", "common", "manager", "misc"} & set(path.stem.split("_"))


@each([path for path in MODULES if path.name.startswith("fig_")])
def test_a_figure_is_in_a_folder_where_it_is_discovered(path):
    assert path.parent.parent == ROOT / "figures"
    assert path.stem in figure_names()


@each([path for path in TESTS if path.stem not in ("conftest", "oracles")])
def test_a_test_file_is_named_after_what_it_tests(path):
    _, subject, *_ = path.stem.split("_")
    assert subject in {*PACKAGES, "paper", "benchmarks", "conventions", "readme"}


def test_constraints_pin_versions_and_hold_no_address():
    constraints = ROOT / "constraints.txt"
    if constraints.exists():
        for line in constraints.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"(#(?!.*://).*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; .*)?|)", line.strip()), line


@each([path for path in MODULES if path.parent.name in ("engines", "proofs")])
def test_what_decides_a_step_shares_no_code_with_the_bounds_that_it_judges(path):
    folders = {tuple(name.split(".")[:2]) for name in imported(parsed(path))}
    assert not folders & {("theory", "bounds"), ("theory", "statistics")}
