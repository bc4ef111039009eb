"""Training of any PyTorch module with its parameters in an approximate memory.

Needs PyTorch: ``pip install "mtjchar[torch]"``.
"""

from __future__ import annotations

from importlib.util import find_spec

from mtjchar.errors import MissingToolError

if find_spec("torch") is None:
    raise MissingToolError('mtjchar.torch needs PyTorch. Install it with: pip install "mtjchar[torch]"')

from mtjchar.torch.parameters import MemoryParameters

__all__ = ["MemoryParameters"]
