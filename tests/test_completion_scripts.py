"""The script of each shell, in that shell: what is shown, and what it does with what is typed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.cli.shell_scripts import SCRIPTS
from schemas import names
from tests import completed_home
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tests.typing_shell import SHELLS, TypingShell

ROOT = Path(__file__).resolve().parent.parent
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the shells and their terminals are POSIX")
home, evt = completed_home.home, completed_home.evt


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_data_and_nothing_else_is_said(evt: Evt, shell: str) -> None:
    said = evt("completion", shell)
    assert (said.code, said.out, said.err) == (0, SCRIPTS[shell], "")
    assert evt("completion", shell, "--json").document == {"shell": shell, "script": SCRIPTS[shell]}


def test_a_shell_that_is_not_known_is_refused(evt: Evt) -> None:
    said = evt("completion", "tcsh")
    assert said.code == 2
    assert "powershell" in said.err


@pytest.fixture
def place(tmp_path: Path, home: BuiltHome) -> Path:
    """A folder to type in, with `evt` in `bin`, scripts, odd names and a second home."""
    place = tmp_path / "place"
    (place / "bin").mkdir(parents=True)
    program = place / "bin" / ("evt.cmd" if sys.platform == "win32" else "evt")
    if sys.platform == "win32":
        text = f'@set "PYTHONPATH={ROOT}"\n@"{sys.executable}" -m adapters.cli %*\n'
    else:
        # What is typed is not done: its words are written down.
        text = (
            "#!/bin/sh\n"
            "if [ \"$1\" != complete ]; then printf '%s\\n' \"$@\" >told; echo '<told>'; exit; fi\n"
            f"PYTHONPATH='{ROOT}' exec '{sys.executable}' -m adapters.cli \"$@\"\n"
        )
    program.write_text(text, encoding="utf-8", newline="\n")
    program.chmod(0o755)
    for shell, script in SCRIPTS.items():
        (place / f"script.{shell}").write_text(script, encoding="utf-8", newline="\n")
    (place / "one of them.task.md").touch()
    (place / "zz.md").touch()
    (place / "zz folder").mkdir()
    with BuiltHome(place / "my home") as other:
        other.queue("elsewhere")
    return place


def surroundings(place: Path, home: BuiltHome) -> dict[str, str]:
    path = os.pathsep.join([str(place / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "EVT_HOME": str(home.root), "HOME": str(place), "LC_ALL": "C.UTF-8"}


TYPED = (
    ("evt sta\t", ["status"]),
    ("evt show Fix-T\t", ["show", "Fix-Total"]),
    ("evt cancel f\t", ["cancel", "fix-other"]),
    ("evt list --status=fai\t", ["list", "--status=failed"]),
    ("evt list --status failed,que\t", ["list", "--status", "failed,queued"]),
    ("evt project to_w\t --wr\t", ["project", "to_write", "--write"]),
    ("evt add one\t", ["add", "one of them.task.md"]),
    ("evt add --cwd zz\t", ["add", "--cwd", "zz folder/"]),
    ("evt add --cwd=zz\t", ["add", "--cwd=zz folder/"]),
    ("evt --home 'my home' show else\t", ["--home", "my home", "show", "elsewhere"]),
    ("bin/evt show --home my\\ home els\t", ["show", "--home", "my home", "elsewhere"]),
    ("~/bin/evt tail-\t", ["tail-events"]),
    ("evt run --workers \t", ["run", "--workers"]),
)


@on_posix
@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_typed_and_completed_is_what_the_program_is_given(
    place: Path, home: BuiltHome, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here; .ci/run installs it")
    with TypingShell(shell, place, surroundings(place, home)) as typing:
        told = [typing.line(line) for line, _ in TYPED]
    # zsh takes the slash behind a completed folder away again when the line ends there.
    assert [[word.removesuffix("/") for word in words] for words in told] == [
        [word.removesuffix("/") for word in words] for _, words in TYPED
    ]


@on_posix
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_ids_are_listed_with_their_titles_and_nothing_in_them_is_run(
    place: Path, home: BuiltHome, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here; .ci/run installs it")
    with TypingShell(shell, place, surroundings(place, home)) as typing:
        shown = typing.listing("evt show \t", "queued: It's")
    assert "touch owned" in shown
    assert "succeeded: Fix the total" in shown
    assert not list(place.glob("**/owned"))


def said_by(command: Sequence[str], place: Path, home: BuiltHome) -> list[str]:
    told = subprocess.run(
        command, cwd=place, env=surroundings(place, home), capture_output=True, encoding="utf-8", check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout.splitlines()


BASH_CALL = """\
source ./script.bash
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
_evt "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@on_posix
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["show", "fix"], ["fix-other", "Fix-Total"]),
        (["list", "--status", "=", "que"], ["queued"]),
        (["list", "--status", "="], list(names.STATUSES)),
        (["tail", "--task", "fix-o"], ["fix-other"]),
        (["add", "zz"], ["zz folder", "zz.md"]),
        (["add", "--cwd", "zz"], ["zz folder"]),
        (["dream", ""], [""]),
    ],
)
def test_bash_is_given_the_words_alone(
    place: Path, home: BuiltHome, words: list[str], wanted: list[str]
) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed here")
    found = said_by(["bash", "--norc", "-c", BASH_CALL, "bash", "evt", *words], place, home)
    assert (sorted(found) if words[0] == "add" else found) == wanted


@on_posix
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("evt show f", ["Fix-Total\tsucceeded: Fix the total", "fix-other\tqueued: It's"]),
        ("evt list --status=q", ["--status=queued"]),
        ("evt add --cwd=z", ["--cwd=zz folder/\tDirectory"]),
    ],
)
def test_fish_is_given_words_and_what_they_are(
    place: Path, home: BuiltHome, line: str, wanted: list[str]
) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed here; .ci/run installs it")
    code = "source script.fish; complete -C $argv[1]"
    found = sorted(said_by(["fish", "--no-config", "-c", code, "--", line], place, home))
    assert [row[: len(start)] for row, start in zip(found, wanted, strict=True)] == wanted


POWERSHELL_CALL = """\
. ./script.powershell
foreach ($line in 'evt sta', 'evt show Fix', 'evt list --status failed,que', 'evt add --cwd zz') {
    (TabExpansion2 $line $line.Length).CompletionMatches | ForEach-Object { $_.CompletionText }
}
"""


def test_powershell_completes_a_line(place: Path, home: BuiltHome) -> None:
    powershell = shutil.which("pwsh") or shutil.which("powershell")
    if powershell is None:
        pytest.skip("PowerShell is not here and not in Debian: only the form of its script is tested")
    (place / "script.powershell").rename(place / "script.ps1")
    code = POWERSHELL_CALL.replace("script.powershell", "script.ps1")
    found = said_by([powershell, "-NoProfile", "-NonInteractive", "-Command", code], place, home)
    assert found[:2] == ["status", "Fix-Total"]
    assert found[2] in {"queued", "failed,queued"}
    assert "zz folder" in found[3]


def test_the_form_of_the_powershell_script_is_right() -> None:
    script = SCRIPTS["powershell"]
    assert "\nRegister-ArgumentCompleter -Native -CommandName 'evt', 'evt.exe' -ScriptBlock {\n" in script
    bare = re.sub(r'"[^"\n]*"|\'[^\'\n]*\'|^\s*#.*', "", script, flags=re.MULTILINE)
    assert all(mark not in bare for mark in "\"'")
    closing = {"}": "{", ")": "(", "]": "["}
    opened: list[str] = []
    for mark in re.findall(r"[](){}[]", bare):
        if mark in closing:
            assert opened.pop() == closing[mark]
        else:
            opened.append(mark)
    assert opened == []
    assigned = set(re.findall(r"\$(\w+)(?=(?:, \$\w+)* =)", script))
    assigned |= set(re.findall(r"foreach \(\$(\w+) in", script))
    given = {"wordToComplete", "commandAst", "cursorPosition", "_", "null"}
    assert set(re.findall(r"\$(\w+)", script)) == assigned | given
