"""The import order, and what belongs into the tree."""

import ast
import re
import subprocess
import sys
import tomllib

from common import ROOT

import mtjchar

PACKAGE = ROOT / "mtjchar"

# From the ground up. A module imports from rows above its own, and inside its own folder.
LAYERS = [
    ["errors", "arrays", "units", "files", "statistics", "fields", "display", "shipped", "work"],
    ["physics"],
    ["spice"],
    ["cells"],
    ["study"],
    ["sweep"],
    ["surfaces", "stackfit"],
    ["export", "array", "network", "torch"],
    ["plotting", "report", "run", "cli", "__main__"],
]
# Inside a row: the ground raises errors and works on arrays, keys have units; torch has the codes and the
# ledger of network; cli shows what the others of its row make.
WITHIN = {
    ("units", "errors"),
    ("files", "errors"),
    ("shipped", "files"),
    ("statistics", "errors"),
    ("statistics", "arrays"),
    ("fields", "errors"),
    ("fields", "units"),
    ("display", "errors"),
    ("torch", "network"),
    ("report", "plotting"),
    ("cli", "plotting"),
    ("cli", "report"),
    ("__main__", "cli"),
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


def wrong_layers(name):
    """Folders and modules that a module imports from and may not."""
    own = name.split(".")[0]
    return {used for used in layers_used(IN_LAYERS[name]) if used not in LEVEL or not allowed(own, used)}


def test_imports_go_up_the_table():
    wrong = {name: sorted(used) for name in IN_LAYERS if (used := wrong_layers(name))}
    assert not wrong, wrong


def test_the_order_check_itself_refuses():
    # By the table: downwards, sideways between folders of a row, and the reverse of what WITHIN lists.
    assert not allowed("physics", "spice")
    assert not allowed("spice", "study")
    assert not allowed("spice", "cells")
    assert not allowed("cells", "study")
    assert not allowed("surfaces", "stackfit")
    assert not allowed("export", "network")
    assert not allowed("errors", "units")
    assert not allowed("plotting", "cli")
    assert allowed("study", "cells")
    assert allowed("sweep", "sweep")
    assert allowed("cli", "errors")


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import mtjchar.study as s\nfrom mtjchar import units\n"
        "def f():\n    from mtjchar.spice.ngspice import simulator\n    __import__('mtjchar.cli')\n"
    )
    assert layers_used(file) == {"study", "units", "spice", "cli"}


def modules_used(path, modules):
    """Modules of the package that a file imports; a name of a folder itself comes from its `__init__`."""
    used = set()
    for name in imports(path):
        parts = name.split(".")[1:] if name.split(".")[0] == "mtjchar" else None
        while parts:
            if ".".join(parts) in modules:
                used.add(".".join(parts))
                break
            if ".".join([*parts, "__init__"]) in modules:
                used.add(".".join([*parts, "__init__"]))
                break
            parts = parts[:-1]
    return used


def circles(modules):
    """Groups of modules that need each other, by whatever way.

    Imports for types and inside functions count. That importing a module runs the `__init__` of its folder
    does not: each that gives names of its modules on would be a circle.
    """
    reach = {name: modules_used(path, modules) for name, path in modules.items()}
    for middle in reach:
        for name in reach:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in reach}
    return sorted(sorted(group) for group in groups if group)


def test_no_modules_need_each_other():
    found = circles(MODULES)
    assert not found, found


def test_circles_are_found_wherever_they_are(tmp_path):
    lines = {
        "a.b": "from mtjchar.a.c import x",
        "a.c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mtjchar.a import d",
        "a.d": "def f():\n    import mtjchar.a.b",
        "a.__init__": "from mtjchar.a.b import x",
        "e": "from mtjchar.a import x",
        "f.__init__": "from mtjchar.f.g import x",
        "f.g": "from mtjchar.f import x",
        "h": "from mtjchar.h import x",
    }
    modules = {name: tmp_path / f"{name}.py" for name in lines}
    for name, text in lines.items():
        modules[name].write_text(text)
    assert circles(modules) == [["a.b", "a.c", "a.d"], ["f.__init__", "f.g"], ["h"]]


def foreign_imports(name):
    return {imported.split(".")[0] for imported in imports(MODULES[name])} - {"mtjchar"}


def test_only_the_circuit_layer_imports_pyspice():
    users = [name for name in MODULES if "PySpice" in foreign_imports(name)]
    assert users
    wrong = [name for name in users if not name.startswith("spice.")]
    assert not wrong, wrong


def test_physics_needs_numpy_and_scipy_only():
    known = {"numpy", "scipy", *sys.stdlib_module_names}
    physics = [name for name in MODULES if name.startswith("physics.")]
    wrong = {name: sorted(more) for name in physics if (more := foreign_imports(name) - known)}
    assert not wrong, wrong


def test_directions_of_junctions_are_known_by_name_in_few_places():
    text = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    knowing = [name for name in text if "p_to_ap" in text[name]]
    strangers = [name for name in knowing if not name.startswith(("cells.stt.", "cells.sot.", "stackfit."))]
    assert len(strangers) <= 3, strangers


def test_the_study_knows_no_stack():
    # `study.__init__` gives names of the STT kind on; how its tables are read only the kind knows.
    text = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    readers = [name for name in text if name.startswith("study.") and name != "study.__init__"]
    assert readers
    wrong = [name for name in readers if re.search(r"stack(?!level)", text[name], re.IGNORECASE)]
    assert not wrong, wrong


def test_importing_the_package_loads_none_of_the_large_libraries():
    code = "import sys, mtjchar; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "mtjchar" in done.stdout.split()
    assert not {"matplotlib", "PySpice", "scipy", "pandas", "xarray", "torch"} & set(done.stdout.split())


def test_modules_stay_below_600_lines():
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    long = {name: count for name, count in lines.items() if count >= 600}
    assert not long, long


def test_every_folder_of_the_package_is_one():
    folders = {path.parent for path in SOURCES}
    assert {folder for folder in folders if not (folder / "__init__.py").is_file()} == set()


def test_top_level_folders_hold_something():
    folders = ["mtjchar", "netlists", "data/stacks", "data/studies", "tests", "docs", "scripts"]
    assert [name for name in folders if not any(path.is_file() for path in (ROOT / name).iterdir())] == []


def test_top_level_files_exist():
    files = ["pyproject.toml", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md"]
    files += ["scripts/demo", "scripts/test", ".ci/run"]
    assert [name for name in files if not (ROOT / name).is_file()] == []


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
