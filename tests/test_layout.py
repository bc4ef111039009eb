"""The import order of the design, section 3, and what belongs into the tree."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mtjchar

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mtjchar"

# From the ground up. A module imports from rows above its own, and inside its own folder.
LAYERS = [
    ["errors", "arrays", "units", "files", "fields", "statistics"],
    ["physics"],
    ["cells"],
    ["study"],
    ["spice"],
    ["sweep"],
    ["surfaces", "stackfit"],
    ["export", "network"],
    ["plotting", "report", "cli"],
]
# Inside a row: units and files raise errors; cli shows what the others of its row make.
WITHIN = {
    ("units", "errors"),
    ("files", "errors"),
    ("statistics", "arrays"),
    ("fields", "errors"),
    ("fields", "units"),
    ("report", "plotting"),
    ("cli", "plotting"),
    ("cli", "report"),
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in SOURCES}
IN_LAYERS = {name: path for name, path in MODULES.items() if name != "__init__"}


def imports(path):
    """Full names that a file imports at any depth, type checking and functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative imports hide the layer"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__"):
                found.add(str(node.args[0].value))
    return found


def layers_used(path):
    """Second part of every name of the package that a file imports: the folder or module."""
    own = [name.split(".") for name in imports(path) if name.split(".")[0] == "mtjchar"]
    return {parts[1] for parts in own if len(parts) > 1}


def allowed(importer, imported):
    if importer == imported or (importer, imported) in WITHIN:
        return True
    return LEVEL[imported] < LEVEL[importer]


def test_every_module_is_in_a_layer():
    assert {name.split(".")[0] for name in IN_LAYERS} <= set(LEVEL)


@pytest.mark.parametrize("name", IN_LAYERS)
def test_imports_go_up_the_table(name):
    own = name.split(".")[0]
    # Resources and versions: `from mtjchar import x` names a module, a folder or an exported name of it.
    wrong = {used for used in layers_used(IN_LAYERS[name]) if used not in LEVEL or not allowed(own, used)}
    assert not wrong, f"mtjchar.{name} may not import {sorted(wrong)}"


def test_the_order_check_itself_refuses():
    # By the table: downwards, sideways between folders of a row, and the reverse of what WITHIN lists.
    assert not allowed("physics", "spice")
    assert not allowed("surfaces", "stackfit")
    assert not allowed("export", "network")
    assert not allowed("errors", "units")
    assert not allowed("plotting", "cli")
    assert allowed("sweep", "sweep")
    assert allowed("cli", "errors")


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import mtjchar.study as s\nfrom mtjchar import units\n"
        "def f():\n    from mtjchar.spice.ngspice import simulator\n    __import__('mtjchar.cli')\n"
    )
    assert layers_used(file) == {"study", "units", "spice", "cli"}


@pytest.mark.parametrize("name", MODULES)
def test_only_the_circuit_layer_imports_pyspice(name):
    foreign = {imported.split(".")[0] for imported in imports(MODULES[name])}
    assert "PySpice" not in foreign or name.startswith("spice.")


@pytest.mark.parametrize("name", [name for name in IN_LAYERS if name.startswith("physics")])
def test_physics_needs_numpy_and_scipy_only(name):
    foreign = {imported.split(".")[0] for imported in imports(MODULES[name])}
    assert foreign - set(sys.stdlib_module_names) <= {"numpy", "scipy", "mtjchar"}


def test_importing_the_package_loads_neither_matplotlib_nor_pyspice():
    code = "import sys, mtjchar; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "mtjchar" in done.stdout.split()
    assert not {"matplotlib", "PySpice", "scipy", "pandas", "xarray"} & set(done.stdout.split())


@pytest.mark.parametrize("name", MODULES)
def test_modules_stay_below_600_lines(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) < 600


def test_every_folder_of_the_package_is_one():
    folders = {path.parent for path in SOURCES}
    assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == set()


@pytest.mark.parametrize(
    "name", ["mtjchar", "netlists", "data/stacks", "data/studies", "tests", "docs", "scripts"]
)
def test_top_level_folders_hold_something(name):
    assert any(path.is_file() for path in (ROOT / name).iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "LICENSE",
        "CHANGELOG.md",
        "Makefile",
        "README.md",
        "scripts/demo",
        "scripts/test",
        ".ci/run",
    ],
)
def test_top_level_files_exist(name):
    assert (ROOT / name).is_file()


def test_no_file_names_a_place_on_a_machine():
    places = re.compile("|".join(rf"(?<![\w.])/{name}\b" for name in ("root", "work", "home", "tmp/venv")))
    folders = ["mtjchar", "netlists", "data", "docs", "tests", "scripts", "notebooks"]
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    text = {".py", ".md", ".toml", ".lib", ".cir", ".sh", ".ipynb", ".json", ".csv", ""}
    checked = [path for path in files if path.suffix in text and "__pycache__" not in path.parts]
    assert len(checked) > 30
    named = {
        str(path.relative_to(ROOT)): places.findall(path.read_text(encoding="utf-8", errors="replace"))
        for path in checked
    }
    assert {file: found for file, found in named.items() if found} == {}


def test_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert mtjchar.__version__ == project["version"]
