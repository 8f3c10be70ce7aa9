"""Where two rows of leaves part, and what was done there: edited, removed, inserted, reordered."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from eventstore.audit.findings import Finding
from eventstore.tree.merkle import leaf_hash

WINDOW: Final = 2**16
"""So many events from the first difference on are looked at to tell what was done."""

REACH: Final = 48
"""So far a line is sought that was given new numbers; past it the place is told, but not what was done."""

NAMED: Final = 5
PLACE: Final = re.compile(rb',"global_position":(\d+)(,"id":"[^"\\]*","position":)(\d+)')


def place(start: int, lines: Sequence[bytes], leaves: Sequence[bytes], truth: Sequence[bytes]) -> Finding:
    """What happened at index `start`: from there the log has `lines` with these `leaves`, not `truth`.

    Both begin with different leaves, and neither is empty.
    """
    position = start + 1
    ahead, back = _exactly(leaves, truth)
    renumbered = ahead is None and back is None
    if renumbered:
        ahead, back = _renumbered(start, lines, truth)
    how = ", and those behind it were given new numbers" if renumbered else ""
    # Where the next one is as it was, nothing was moved up or down.
    alone = _next_is_in_place(start, lines, truth, renumbered=renumbered)
    if (ahead and back) or (alone and (ahead or back)):
        where = (
            f"it stands at {position + back} now" if back else f"event {position + (ahead or 0)} stands there"
        )
        return Finding("REORDERED", f"event {position} is in another place: {where}{how}", position, position)
    if ahead:
        text = f"{_events(position, ahead)} recorded, and {'is' if ahead == 1 else 'are'} gone{how}"
        return Finding("REMOVED", text, position, position + ahead - 1, count=ahead)
    if back:
        text = f"{_events(position, back)} never recorded there{how}"
        return Finding("INSERTED", text, position, position + back - 1, count=back)
    return Finding("EDITED", _edited(start, leaves, truth), position, position)


def _next_is_in_place(
    start: int, lines: Sequence[bytes], truth: Sequence[bytes], *, renumbered: bool
) -> bool:
    """Whether the line behind the first one stands where it was recorded."""
    if len(lines) < 2:
        return False
    if len(truth) > 1:
        return _was(lines[1], start + 1, truth[1], REACH)
    found = _place_in(lines[1])
    return not renumbered and found is not None and int(found[1]) == start + 2


def _exactly(leaves: Sequence[bytes], truth: Sequence[bytes]) -> tuple[int | None, int | None]:
    """How far ahead in the truth the log's first leaf stands, how far back in the log the true first one."""
    try:
        ahead = truth.index(leaves[0])
    except ValueError:
        ahead = None
    try:
        back = leaves.index(truth[0])
    except ValueError:
        back = None
    return ahead, back


def _renumbered(start: int, lines: Sequence[bytes], truth: Sequence[bytes]) -> tuple[int | None, int | None]:
    """The same for lines that were given other positions, so that no gap is seen."""
    ahead = next(
        (n for n in range(1, min(REACH, len(truth))) if _was(lines[0], start + n, truth[n], n)), None
    )
    back = next((n for n in range(1, min(REACH, len(lines))) if _was(lines[n], start, truth[0], n)), None)
    return ahead, back


def _was(line: bytes, index: int, leaf: bytes, far: int) -> bool:
    """Whether it is the leaf's line but for its numbers; its stream has moved it no further than the log."""
    return any(leaf_hash(other) == leaf for other in _numbered(line, index + 1, far))


def _numbered(line: bytes, global_position: int, far: int) -> Iterator[bytes]:
    found = _place_in(line)
    if found is None:
        return
    position = int(found[3])
    head, tail = line[: found.start()], line[found.end() :]
    for other in range(max(0, position - far), position + far + 1):
        yield b'%b,"global_position":%d%b%d%b' % (head, global_position, found[2], other, tail)


def _place_in(line: bytes) -> re.Match[bytes] | None:
    """The last such words are the envelope's own: texts stand before them."""
    return PLACE.search(line, max(0, line.rfind(b',"global_position":')))


def _edited(start: int, leaves: Sequence[bytes], truth: Sequence[bytes]) -> str:
    pairs = enumerate(zip(leaves, truth, strict=False), start + 1)
    unlike = [position for position, (now, then) in pairs if now != then]
    text = f"event {unlike[0]} is not as it was recorded"
    if len(unlike) > 1:
        more = f" and {len(unlike) - 1 - NAMED} more" if len(unlike) - 1 > NAMED else ""
        text += f", nor is {', '.join(map(str, unlike[1 : NAMED + 1]))}{more}"
    return text


def _events(position: int, count: int) -> str:
    return f"event {position} was" if count == 1 else f"events {position} to {position + count - 1} were"
