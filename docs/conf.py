"""Sphinx makes a site of these pages, of the README and of the docstrings: `make docs`.

Sphinx, since the docstrings are reStructuredText. Formulas are drawn by MathJax, loaded from the network.
"""

import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

project = "mtjchar"
release = metadata.version("mtjchar")

extensions = [
    "myst_nb",  # pages and notebooks
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
templates_path = ["_templates"]
myst_heading_anchors = 3
# The notebooks hold no outputs: they run while the site is made.
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "model_config"}
autodoc_typehints = "none"  # types stand in the docstrings, with shape and unit
# References are also cited above the line that implements them; words in types are no links.
suppress_warnings = ["ref.footnote", "ref.python"]

html_theme = "furo"
html_title = f"mtjchar {release}"


def read_page(_app: Any, name: str, source: list[str]) -> None:
    """Put the README in front of the index; links to what is not on the site become text."""
    if name == "index":
        readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
        source[0] = readme.replace("](docs/", "](") + source[0]
    if name.startswith("notebooks/"):
        source[0] = source[0].replace("](../docs/", "](../")
    else:
        source[0] = source[0].replace("](../notebooks/", "](notebooks/")
        source[0] = re.sub(r"\[([^]]+)\]\(\.\./[^)]*\)", r"\1", source[0])


def copy_notebooks(app: Any) -> None:
    """Put the notebooks beside the pages."""
    folder = Path(app.srcdir) / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).parents[1] / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))


def skip_member(_app: Any, _kind: str, _name: str, member: Any, *_: Any) -> bool | None:
    """Fields of named tuples are told in the docstring of the tuple."""
    return True if type(member).__name__ == "_tuplegetter" else None


def setup(app: Any) -> None:
    """Tell Sphinx of all."""
    app.connect("builder-inited", copy_notebooks)
    app.connect("source-read", read_page)
    app.connect("autodoc-skip-member", skip_member)
