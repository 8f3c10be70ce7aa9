"""What the audit has to say of a tampered log."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expected:
    """`first` is the position of the first bad event, or else it lies `between` two tree heads (sizes).

    The first finding is one of `kinds`. `words` are further arguments of the audit.
    """

    kinds: frozenset[str]
    first: int | None = None
    between: tuple[int, int] | None = None
    words: tuple[str, ...] = ()
    verdicts: frozenset[str] = frozenset({"TAMPERED"})

    def wrong(self, said: dict[str, Any]) -> list[str]:
        """What of the audit's document is not so; empty where it was right."""
        if said["verdict"] not in self.verdicts or not said["findings"]:
            return [f"verdict {said['verdict']}, not {' or '.join(sorted(self.verdicts))}"]
        found = said["findings"][0]
        wrong = []
        if found["kind"] not in self.kinds:
            wrong.append(f"kind {found['kind']}, not {' or '.join(sorted(self.kinds))}")
        if self.first is not None and (found["first"], found["exact"]) != (self.first, True):
            wrong.append(f"place {found['first']} (exact: {found['exact']}), not {self.first}")
        if self.between is not None:
            heads = (found["good_tree_head"] or 0, found["bad_tree_head"])
            span = (None if found["first"] is None else found["first"] - 1, found["last"])
            if self.between not in (heads, span):
                wrong.append(f"between {heads} or {span}, not {self.between}")
        return wrong


def exact(position: int, *kinds: str) -> Expected:
    """The place itself must be told."""
    return Expected(frozenset(kinds), first=position)
