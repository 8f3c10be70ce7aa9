"""How an old payload becomes today's, for every type whose shape has changed. Imports nothing of ours.

A changed shape raises its fact's `SCHEMA` and gets an entry here, from each old version to the next:
the log keeps what was written, readers see one shape.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Payload = Mapping[str, Any]

UPCASTS: Final[Mapping[tuple[str, int], Callable[[Payload], Payload]]] = MappingProxyType({})
"""(event type, old schema version) → the function that makes the next version of it."""
