"""How objects show themselves in a notebook: a table in HTML, and figures that are loaded on first use."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping
from typing import Any

from mtjchar.errors import printable

__all__ = ["Figures", "html_table"]


class Figures:
    """Attribute of a class whose objects draw themselves: the figures of an object, loaded on first use.

    Drawing is in a higher layer than the drawn objects, so that a library user loads no matplotlib. The class
    with the figures is therefore named, not imported.

    Parameters
    ----------
    module, name : str
        Module and name of the class; its argument is the object.
    """

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __get__(self, owner: object, kind: type | None = None) -> Any:
        if owner is None:
            return self
        return getattr(importlib.import_module(self.module), self.name)(owner)


def html_table(title: str, rows: Mapping[str, object], more: str = "") -> str:
    """Return the HTML of an object, for `_repr_html_`.

    Parameters
    ----------
    title : str
    rows : mapping
        Values by their names; both are shown as text.
    more : str, optional
        HTML to follow.
    """
    lines = "".join(
        f'<tr><th style="text-align:left">{_shown(name)}</th>'
        f'<td style="text-align:left">{_shown(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<div><b>{_shown(title)}</b><table>{lines}</table>{more}</div>"


def _shown(value: object) -> str:
    return html.escape(printable(str(value)))
