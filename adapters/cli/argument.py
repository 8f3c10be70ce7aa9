"""One argument of a verb, as far as a shell must know it to complete a line."""

from typing import NamedTuple


class Argument(NamedTuple):
    """`names` is empty for one that is told by its place. `value` says what is wanted, empty for a flag.

    `many`: it may be given again, or takes several words.
    """

    names: tuple[str, ...]
    value: str
    says: str
    choices: tuple[str, ...] = ()
    many: bool = False
