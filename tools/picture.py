"""Record the program at work for the documents: the picture of the demo, and the console blocks of a page.

    .venv/bin/python tools/picture.py                        docs/pictures/demo.svg, anew
    .venv/bin/python tools/picture.py docs/tutorial/first-night.md    its console blocks, anew

Both show real runs. The picture leaves out lines and says how many, and cuts long ones with `…`.
In a page each fence `console` is played in order, in one folder: a line that begins with `$ ` is
a command, the rest is what it said. A fence after `<!-- write: PATH -->` is written to PATH first.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "demo.svg"
COLUMNS: Final = 108
PLACE: Final = "/tmp/first-night"  # noqa: S108 - a name to show, never opened
STEPS = re.compile(r"step_(?:started|finished) |task_archived ")
QUIET = re.compile(r"_started |_finished |_used |task_(?:queued|claimed) |artifact_written ")
SKIPPED = ("$ evt list", "What is kept", "$ results/")
SVG_FORMAT: Final = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg" role="img" aria-label="evt demo">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""Rich's own format without the font that it would fetch from elsewhere."""

BLOCK = re.compile(
    r"(?:<!-- write: (?P<path>\S+) -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


def evt_environment(folder: Path) -> dict[str, str]:
    """The programs of this installation first, a configuration of its own, no colour."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVT_", "CLAUDE"))}
    programs = str(Path(sys.executable).parent)
    return {
        **kept,
        "PATH": os.pathsep.join([programs, kept.get("PATH", "")]),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "APPDATA": str(folder / ".config"),
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": str(COLUMNS),
    }


def demo_output(folder: Path) -> str:
    """What a real `evt demo` says, with its colours."""
    words = ["demo", "--color", "always", "--home", str(folder / "demo")]
    environment = {**evt_environment(folder), "NO_COLOR": ""}
    told = subprocess.run(
        [sys.executable, "-m", "adapters.cli", *words],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return told.stdout.replace(str(folder), str(Path(PLACE).parent))


def chosen(lines: list[Text]) -> list[Text]:
    """The lines that tell most; every gap says how many are missing."""
    kept: list[Text] = []
    missing = 0
    section = ""
    for line in lines:
        plain = line.plain
        if plain.startswith("$ ") or plain.endswith("──"):
            section = plain
        if _is_left_out(plain, section):
            missing += bool(plain)
            continue
        if missing:
            kept.append(Text(f"     … {missing} more", style="dim italic"))
        missing = 0
        kept.append(line)
    return kept


def _is_left_out(line: str, section: str) -> bool:
    if section.startswith(SKIPPED) or not line:
        return True
    of_the_fix = "02-fix" in line or "orchestrator" in line
    return bool(STEPS.search(line)) or (bool(QUIET.search(line)) and not of_the_fix)


def picture(output: str) -> str:
    """The SVG of a run's output."""
    shown = chosen([Text.from_ansi(line) for line in output.strip("\n").split("\n")])
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in shown:
        line.truncate(COLUMNS, overflow="ellipsis")
        console.print(line, soft_wrap=True)
    return console.export_svg(title="evt demo", code_format=SVG_FORMAT, unique_id="evt-demo")


def play(page: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The page with what its console blocks say when they are played in `folder`."""

    def block(found: re.Match[str]) -> str:
        if found["path"]:
            path = folder / found["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found["body"].replace(PLACE, str(folder)), encoding="utf-8", newline="\n")
        if found["kind"] != "console":
            return found[0]
        commands = [line[2:] for line in found["body"].splitlines() if line.startswith("$ ")]
        said = "".join(f"$ {command}\n{_say(command, folder, environment)}" for command in commands)
        return f"```console\n{said}```"

    return BLOCK.sub(block, page)


def _say(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Standard output and standard error as a terminal shows them, and an exit code that is not 0."""
    told = subprocess.run(
        ["bash", "-c", command.replace(PLACE, str(folder))],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    said = told.stdout.replace(str(folder), PLACE)
    ending = "" if not said or said.endswith("\n") else "\n"
    return said + ending + (f"(exit code {told.returncode})\n" if told.returncode else "")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        made: Callable[[], str] = lambda: picture(demo_output(folder))  # noqa: E731
        place = PICTURE
        if arguments:
            place = Path(arguments[0])
            page = place.read_text(encoding="utf-8")
            made = lambda: play(page, folder, evt_environment(folder))  # noqa: E731
        text = made()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8", newline="\n")
    print(f"written: {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
