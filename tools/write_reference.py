"""Write the pages that are made from code, and the tables inside other pages; `--check` only compares."""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventstore.redaction.patterns import PATTERNS
from handlers import agent_call
from handlers.outcome import FOLDER, judge
from handlers.path_policy import OWN_FOLDERS
from handlers.retry import LONGEST_S, NOT_STARTED, RETRIES
from handlers.tools import BY_TYPE, granted
from schemas.turn import Denial, TurnReport
from tools import reference_cli, reference_words
from tools.tried_again import how_often, tried_again

MADE = "<!-- Made by tools/write_reference.py. Change the code that it is made from. -->\n\n"
REGION = re.compile(r"(<!-- made: ([a-z-]+) -->\n)(.*?)(<!-- end of made -->)", re.DOTALL)
ANSWERED: Mapping[str, Any] = {
    "ended": "exited",
    "exit_code": 0,
    "elapsed_ms": 1000,
    "has_result": True,
    "subtype": "success",
    "num_turns": 1,
    "result_text": "Done.",
}
SILENT: Mapping[str, Any] = {"has_result": False, "subtype": None, "num_turns": 0, "result_text": ""}
DENIED = (Denial(tool="Edit", tool_use_id="t", detail="a.py"),)
FAULT: Mapping[str, Any] = {"is_error": True, "exit_code": 1, "result_text": "It went wrong."}

CASES: tuple[tuple[str, Mapping[str, Any], tuple[str, ...]], ...] = (
    ("its program cannot be started", {**SILENT, "ended": "not_started", "exit_code": None}, ()),
    (
        "its working directory is gone, or has become a link, when the agent is to begin",
        {**SILENT, "ended": "not_started", "exit_code": None, "note": f"{FOLDER}/srv/shop is gone."},
        (),
    ),
    ("its time was over", {**SILENT, "ended": "timeout", "exit_code": -15}, ()),
    ("it said nothing for too long", {**SILENT, "ended": "inactivity", "exit_code": -15}, ()),
    ("no result line, exit code 143 or SIGTERM", {**SILENT, "exit_code": 143}, ()),
    ("no result line, exit code 137 or SIGKILL", {**SILENT, "exit_code": 137}, ()),
    ("no result line, another signal", {**SILENT, "exit_code": -11}, ()),
    ("no result line, exit code 0", SILENT, ()),
    ("no result line, another exit code", {**SILENT, "exit_code": 1}, ()),
    ("the turns were used up", {**FAULT, "subtype": "error_max_turns"}, ()),
    ("the budget was used up", {**FAULT, "subtype": "error_max_budget_usd"}, ()),
    ("the model's service says 429, or a rate limit", {**FAULT, "api_error_status": 429}, ()),
    ("it says 401 or 403, a failed login", {**FAULT, "api_error_status": 401}, ()),
    ("a billing error", {**FAULT, "assistant_error": "billing_error"}, ()),
    ("no connection to it came about", {**FAULT, "result_text": "Unable to connect to API"}, ()),
    ("it says 500 and above, or overloaded", {**FAULT, "api_error_status": 529}, ()),
    ("any other error of the agent", {**FAULT, "subtype": "error_during_execution"}, ()),
    ("the agent waits for an approval", {"deferred": True}, ()),
    ("a result after no turns", {"num_turns": 0}, ()),
    ("its answer was cut off at the model's limit", {"answer_cut": True}, ()),
    ("a result without an answer", {"result_text": " "}, ()),
    ("an edit or a command was denied, and no file changed", {"denials": DENIED}, ()),
    ("an edit was denied, but files changed", {"denials": DENIED}, ("a.py",)),
    ("anything else: a whole, errorless result with an answer", {}, ("a.py",)),
)
"""Every way in which a turn can be judged: what was found, as a report and the files that changed."""


def outcome_table() -> str:
    rows = ["| what was found | the task | error class | reason | tried again |", "|---|---|---|---|---|"]
    for words, given, files in CASES:
        verdict = judge(TurnReport(**{**ANSWERED, **given}), files)
        classed = f"`{verdict.error_class}`" if verdict.error_class != "none" else "-"
        again = tried_again(verdict.error_class, verdict.reason)
        rows.append(f"| {words} | {verdict.kind} | {classed} | {_code(verdict.reason)} | {again} |")
    return "\n".join(rows) + "\n"


def _code(word: str) -> str:
    return f"`{word}`" if word else "-"


def tools_table() -> str:
    rows = ["| type | tools of the agent | may change files | may run commands |", "|---|---|---|---|"]
    for kind, tools in BY_TYPE.items():
        edits = "yes" if "Edit" in tools else "no"
        runs = "yes" if granted(kind) else "no"
        rows.append(f"| `{kind}` | {', '.join(tools)} | {edits} | {runs} |")
    return "\n".join(rows) + "\n"


def environment_list() -> str:
    def joined(names: Any, ending: str = "") -> str:
        return ", ".join(f"`{name}{ending}`" for name in sorted(names))

    return (
        f"- by name: {joined(agent_call._NAMES)}\n"
        f"- by their beginning: {joined(agent_call._PREFIXES, '*')}\n"
        f"- on Windows also: {joined(agent_call._WINDOWS_NAMES)}, "
        f"{joined(agent_call._WINDOWS_PREFIXES, '*')}\n"
        "- what `CLAUDE_ENV_ALLOW` names\n"
        f"- never, whoever names them: {joined(agent_call._NEVER)}, "
        f"{joined(agent_call._NEVER_PREFIXES, '*')}\n"
    )


def patterns_list() -> str:
    names = list(dict.fromkeys(pattern.name for pattern in PATTERNS))
    return ", ".join(f"`{name}`" for name in names) + "\n"


def own_folders() -> str:
    return ", ".join(f"`{name}/`" for name in OWN_FOLDERS) + "\n"


def retries_table() -> str:
    rows = ["| class | how often | first after | in the same session |", "|---|---|---|---|"]
    for name, retries in RETRIES.items():
        resumed = "yes" if retries.resume else "no"
        often = how_often(retries.most) + (" (`VALIDATION_MAX_RETRIES`)" if name == "validation" else "")
        rows.append(f"| `{name}` | {often} | {retries.delay_s:g} s | {resumed} |")
    started = f"until it starts, at most {LONGEST_S / 60:g} min apart"
    rows.append(f"| the agent's program could not be started | {started} | {NOT_STARTED.delay_s:g} s | no |")
    rows.append("| any other | never | - | - |")
    return "\n".join(rows) + "\n"


REGIONS = {
    "retries": retries_table,
    "outcome": outcome_table,
    "tools": tools_table,
    "environment": environment_list,
    "patterns": patterns_list,
    "own-folders": own_folders,
}


def filled(text: str) -> str:
    """A page with its made parts as the code has them now. Raises KeyError for an unknown one."""
    return REGION.sub(lambda found: found[1] + REGIONS[found[2]]() + found[4], text)


def wanted(root: Path) -> Mapping[str, str]:
    """Path from the root → text, of every page that is made and every page with made parts."""
    pages = {
        "cli": reference_cli.cli_page(),
        "settings": reference_cli.settings_page(),
        "exit-codes": reference_cli.exit_codes_page(root),
        "events": reference_words.events_page(),
        "artifact": reference_words.artifact_page(),
        "views": reference_words.views_page(),
    }
    files = {f"docs/reference/{name}.md": MADE + text.strip() + "\n" for name, text in pages.items()}
    files[".env.example"] = reference_cli.env_example()
    for path in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")]):
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        if name not in files and REGION.search(text):
            files[name] = filled(text)
    return files


def differences(root: Path, files: Mapping[str, str]) -> list[str]:
    """The files that are missing or are not what the code says."""
    return [
        name
        for name, text in sorted(files.items())
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page differs")
    root = Path(__file__).resolve().parent.parent
    files = wanted(root)
    found = differences(root, files)
    if parser.parse_args(arguments).check:
        for name in found:
            print(f"{name} is not what the code says: run tools/write_reference.py")
        return 1 if found else 0
    write(root, {name: files[name] for name in found})
    print(f"reference: {len(files)} files, {len(found)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
