"""The process's environment, read once and handed on as a plain mapping."""

import os
from collections.abc import Mapping
from types import MappingProxyType


def environment() -> Mapping[str, str]:
    """A copy that nobody can change."""
    return MappingProxyType(dict(os.environ))
