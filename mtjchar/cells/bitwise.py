"""The table ``[read.bitwise]`` of a study: operations of cells that are read at once on one bit line."""

from __future__ import annotations

import itertools
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mtjchar.fields import Count, Description, Number, Resistance, inconsistent
from mtjchar.physics.bitwise import OPERATIONS, Operation

__all__ = ["Bitwise"]


class Bitwise(Description):
    """Operations of `cells` cells whose word lines go up together.

    The amplifier compares their common level with one reference for AND, OR and majority, and with two for
    XOR, each at an amplifier of its own. `references` is ``"optimal"``, which minimizes the error rate of the
    worst combination of inputs at each read voltage and sensing time, or a list of resistances: as many as
    cells, ascending. The k-th separates k - 1 from k cells in AP. It is in place of each junction in a column
    of as many cells, and varies with the relative standard deviation `spread`.

    `tuples` is the number of drawn groups of cells. Answers mark an error rate that too few groups determine;
    give more groups then.
    """

    cells: Literal[2, 3] = 2
    operations: tuple[Literal["and", "or", "xor", "majority"], ...] = ()
    references: Literal["optimal"] | tuple[Resistance, ...] = "optimal"
    spread: Number = Field(default=0.0, ge=0, le=0.2)
    tuples: Count = Field(default=256, ge=1, le=100_000)

    @model_validator(mode="before")
    @classmethod
    def _all_by_default(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        references = given.get("references", "optimal")
        if references != "optimal" and not isinstance(references, list | tuple):
            raise inconsistent("references", '"optimal", or a list of resistances')
        cells = given.get("cells", 2)
        there = tuple(OPERATIONS[cells]) if cells in (2, 3) else ()
        return {**given, "operations": given.get("operations", there)}

    @model_validator(mode="after")
    def _fits_the_cells(self) -> Self:
        there = OPERATIONS[self.cells]
        chosen = set(self.operations)
        if not chosen or not chosen <= set(there) or len(chosen) < len(self.operations):
            raise inconsistent("operations", f"{', '.join(there)} for {self.cells} cells, each once")
        if self.references == "optimal":
            if self.spread:
                raise inconsistent("spread", "0 where the references are optimal: they have no variability")
            return self
        ascending = all(low < high for low, high in itertools.pairwise(self.references))
        if len(self.references) != self.cells or not ascending or self.references[0] <= 0.0:
            raise inconsistent(
                "references", f'"optimal", or {self.cells} ascending resistances for {self.cells} cells'
            )
        return self

    def chosen(self) -> list[Operation]:
        """Operations of the study, in its order."""
        return [OPERATIONS[self.cells][name] for name in self.operations]
