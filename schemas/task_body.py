"""The Markdown of a task file: title, target files, prompt, success criteria, context."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.shown import has_text, shortened
from schemas.task import Criterion
from schemas.unreadable import Unreadable

MAX_TARGET_FILES: Final = 1_000
MAX_CRITERIA: Final = 200
TITLE_LENGTH: Final = 80
WRITTEN_TITLE_LENGTH: Final = 200
BEGINNING: Final = 20_000
"""Characters of a prompt that are looked at for a title."""
MARK = re.compile(r"\*\*(target files|prompt|success criteria|context)(?::\*\*|\*\*:)(.*)", re.IGNORECASE)
NEAR_MARK = re.compile(
    r"[ \t]*\*\*(target files|prompt|success criteria|context)[ \t]*\*\*[ \t]*"
    r"|(?:#{1,6}[ \t]+)?(target files|success criteria):?[ \t]*",
    re.IGNORECASE,
)
"""What was most likely meant as a mark and is none: checks below it would not be run."""
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
BULLET = re.compile(r"[ \t]*[-*+](?:[ \t]+(.*))?")
BOX = re.compile(r"\[[ xX]\][ \t]*(.*)")


@dataclass(frozen=True)
class Body:
    title: str
    prompt: str
    target_files: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    context: str = ""


@dataclass(frozen=True)
class Block:
    """The lines under one mark (`word`, "" for those above the first) and where they begin."""

    word: str
    lines: Sequence[str]
    line: int


def read_body(
    text: str, first_line: int, trusted: bool, notes: list[str], redact: Callable[[str], str] = str
) -> Body:
    """Read what stands below the front matter; `first_line` is its line in the file.

    Checks are kept as commands only when `trusted`. Raises Unreadable.
    """
    above, *marked = _blocks(text.split("\n"), first_line, notes)
    blocks: dict[str, Block] = {}
    for block in marked:
        if block.word in blocks:
            raise Unreadable(
                "duplicate_mark",
                f"Line {block.line}: the mark `**{block.word.title()}:**` stands here a second time; "
                f"the first is in line {blocks[block.word].line}.",
                "Keep one; to have such a line inside a prompt, indent it or put it into a code fence.",
                block.line,
            )
        blocks[block.word] = block
    title, rest = _title(above)
    context = [_text(blocks["context"].lines)] if "context" in blocks else []
    if "prompt" in blocks:
        prompt, place = _text(blocks["prompt"].lines), blocks["prompt"].line
        if has_text(rest):
            notes.append("The text above the first mark is read as context.")
            context.insert(0, rest)
    else:
        prompt, place = rest, first_line
    if not has_text(prompt):
        raise Unreadable(
            "no_prompt",
            f"Line {place}: the task has no prompt.",
            "Write what is to be done below the line `**Prompt:**`.",
            place,
        )
    return Body(
        title=_cut(redact(title), notes) if title else shortened(redact(prompt[:BEGINNING]), TITLE_LENGTH),
        prompt=prompt,
        target_files=_target_files(blocks.get("target files"), notes),
        criteria=_criteria(blocks.get("success criteria"), trusted, notes),
        context="\n\n".join(context),
    )


def has_marks(text: str) -> bool:
    """Whether a text uses the marks of a task file."""
    return any(MARK.fullmatch(line) for line in text.split("\n"))


def heading(line: str) -> str | None:
    """The words of a `# Title` line, None for any other."""
    if not line.startswith(("# ", "#\t")):
        return None
    words = line[2:].rstrip()
    bare = words.rstrip("#")
    return (bare if not bare or bare[-1] in " \t" else words).strip()


def _blocks(lines: list[str], first_line: int, notes: list[str]) -> list[Block]:
    """Cut at the marks that stand outside code fences; the first block has no mark."""
    starts: list[tuple[int, str, str]] = [(0, "", lines[0])]
    fence = ""
    opened = hidden = 0
    for index, line in enumerate(lines):
        mark = MARK.fullmatch(line)
        found = FENCE.fullmatch(line)
        if fence:
            hidden += mark is not None
            if found and found[1].startswith(fence) and not found[2].strip():
                fence, hidden = "", 0
        elif found and not (found[1][0] == "`" and "`" in found[2]):
            fence, opened = found[1], index
        elif mark:
            word = " ".join(mark[1].lower().split())
            if index == 0:
                starts[0] = (0, "", "")
            starts.append((index, word, mark[2].strip()))
        elif near := NEAR_MARK.fullmatch(line):
            meant = " ".join((near[1] or near[2]).title().split())
            notes.append(
                f"Line {first_line + index} looks like the mark `**{meant}:**` and is read as text: "
                "write it so, with its colon."
            )
    if fence and hidden:
        notes.append(
            f"Line {first_line + opened}: the code fence that begins here is never closed; "
            "the marks below it are read as text."
        )
    ends = [index for index, _, _ in starts[1:]] + [len(lines)]
    return [
        Block(word, [first, *lines[index + 1 : end]], first_line + index)
        for (index, word, first), end in zip(starts, ends, strict=True)
    ]


def _title(above: Block) -> tuple[str, str]:
    """The title, "" where there is none, and the text that is left."""
    for index, line in enumerate(above.lines):
        if line.strip():
            title = heading(line)
            return (title, _text(above.lines[index + 1 :])) if title else ("", _text(above.lines))
    return "", ""


def _cut(title: str, notes: list[str]) -> str:
    if len(title) > WRITTEN_TITLE_LENGTH:
        notes.append(f"The title is longer than {WRITTEN_TITLE_LENGTH} characters and was cut.")
    return shortened(title, WRITTEN_TITLE_LENGTH)


def _text(lines: Sequence[str]) -> str:
    """The lines without the blank ones before and after."""
    full = [index for index, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[full[0] : full[-1] + 1]).rstrip() if full else ""


def _target_files(block: Block | None, notes: list[str]) -> tuple[str, ...]:
    if block is None:
        return ()
    paths: dict[str, None] = {}
    other = 0
    for line in block.lines:
        bullet = BULLET.fullmatch(line)
        path = (bullet[1] or "").strip() if bullet else ""
        path = path[1:-1].strip() if len(path) > 2 and path[0] == path[-1] == "`" else path
        if path:
            paths[path] = None
        elif line.strip():
            other += 1
    if len(paths) > MAX_TARGET_FILES:
        raise Unreadable(
            "too_many_files",
            f"Line {block.line}: there are {len(paths)} target files; {MAX_TARGET_FILES} are allowed.",
            "Name the folders instead of their files, or divide the task.",
            block.line,
        )
    if other:
        notes.append(f"Line {block.line}: under Target Files only `- path` lines count; {other} left out.")
    return tuple(paths)


def _criteria(block: Block | None, trusted: bool, notes: list[str]) -> tuple[Criterion, ...]:
    if block is None:
        return ()
    texts: list[str] = []
    open_item = False
    for line in block.lines:
        bullet = BULLET.fullmatch(line)
        words = (bullet[1] or "").strip() if bullet else line.strip()
        box = BOX.fullmatch(words) if bullet else None
        words = box[1].strip() if box else words
        if bullet and words:
            texts.append(words)
            open_item = True
        elif words and open_item:
            texts[-1] = f"{texts[-1]} {words}"
        elif words:
            texts.append(words)
        else:
            open_item = False
    if len(texts) > MAX_CRITERIA:
        raise Unreadable(
            "too_many_criteria",
            f"Line {block.line}: there are {len(texts)} success criteria; {MAX_CRITERIA} are allowed.",
            "Keep the ones that decide, or divide the task.",
            block.line,
        )
    return tuple(_criterion(words, block.line, trusted, notes) for words in texts)


def _criterion(text: str, line: int, trusted: bool, notes: list[str]) -> Criterion:
    if not text.startswith("$ "):
        return Criterion(text=text)
    command = _command(text[2:].strip())
    if command is None:
        note = (
            f"Line {line}: a criterion begins with `$` but is no check; a check is one command in backticks."
        )
    elif not trusted:
        note = (
            f"Line {line}: checks are run only when they come from the inbox or the command line; "
            "these are kept as text."
        )
    else:
        return Criterion(text=text, check=command)
    if note not in notes:
        notes.append(note)
    return Criterion(text=text)


def _command(words: str) -> str | None:
    """What stands between backticks, when that is all there is."""
    ticks = len(words) - len(words.lstrip("`"))
    inner = words[ticks:-ticks] if ticks > 0 and len(words) > 2 * ticks else ""
    if not words.endswith("`" * ticks) or not inner.strip() or "`" * ticks in inner:
        return None
    return inner.strip()
