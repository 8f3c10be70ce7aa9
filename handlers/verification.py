"""What is proved of a task: its checks, its criteria, and what the agent claims to have changed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.attempt import Verified

_CLAIMS = re.compile(
    r"\b(?:added|changed|created|deleted|edited|fixed|implemented|modified|moved|patched|"
    r"refactored|removed|renamed|replaced|rewrote|rewritten|updated|wrote|written)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|no|never|nothing|without|cannot|would|could|should|will|can|may|might|must|needs?|if|to)\b"
    r"|n['\u2019]t\b",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w:/@.-])/?(?:[\w.-]+/)*[\w-][\w.-]*\.[A-Za-z][A-Za-z0-9]{0,7}(?![\w/(])")
_ENDINGS = frozenset(
    [
        "adoc",
        "bash",
        "bat",
        "c",
        "cc",
        "cfg",
        "cjs",
        "clj",
        "cmake",
        "cmd",
        "conf",
        "cpp",
        "cs",
        "css",
        "csv",
        "cxx",
        "dart",
        "dockerfile",
        "erb",
        "ex",
        "exs",
        "fish",
        "go",
        "gradle",
        "graphql",
        "h",
        "hcl",
        "hh",
        "hpp",
        "hs",
        "htm",
        "html",
        "ini",
        "ipynb",
        "java",
        "jinja",
        "jl",
        "js",
        "json",
        "jsonl",
        "jsx",
        "kt",
        "kts",
        "less",
        "lock",
        "lua",
        "md",
        "mdx",
        "mjs",
        "mk",
        "ml",
        "ndjson",
        "nix",
        "php",
        "pl",
        "pm",
        "proto",
        "ps1",
        "py",
        "pyi",
        "pyx",
        "r",
        "rb",
        "rs",
        "rst",
        "sass",
        "scala",
        "scss",
        "sh",
        "sql",
        "svelte",
        "svg",
        "swift",
        "tex",
        "tf",
        "toml",
        "ts",
        "tsv",
        "tsx",
        "txt",
        "vb",
        "vue",
        "xml",
        "yaml",
        "yml",
        "zig",
        "zsh",
    ]
)
"""What a word that names no folder must end with: `e.g`, `os.path` and `example.com` are no files."""
_PRODUCTS = re.compile(
    r"(?:node|next|nuxt|vue|react|express|three|d3|chart|ember|backbone)\.js", re.IGNORECASE
)
_ADDRESS = re.compile(r"[\w.-]+\.(?:com|org|net|io|dev|ai|edu|gov)/")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_MOST_SENTENCES = 200
_MOST_NAMED = 10


def due_checks(spec: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The checks of a task file, by the index of their criterion."""
    return [
        (index, str(criterion["check"]))
        for index, criterion in enumerate(spec["criteria"])
        if criterion["check"] is not None
    ]


def verified(spec: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Verified:
    """Passed where there are checks and each of them was run and passed; failed where one was not."""
    due = due_checks(spec)
    done = {int(result["index"]): bool(result["passed"]) for result in results}
    if not all(done.values()):
        return "failed"
    return "passed" if due and all(index in done for index, _ in due) else "unchecked"


def evidence(
    spec: Mapping[str, Any], results: Sequence[Mapping[str, Any]], claim: str, files: Sequence[str]
) -> tuple[str, ...]:
    """A line for each criterion, and one for what is claimed of files that nobody modified."""
    done = {int(result["index"]): result for result in results}
    lines = []
    for index, criterion in enumerate(spec["criteria"]):
        if criterion["check"] is None:
            lines.append(f"unproved: {criterion['text']}")
        elif index in done:
            lines.append(_told(done[index]))
        else:
            lines.append(f"check not run: `{criterion['check']}`")
    return (*lines, *unproved_claims(claim, files))


def _told(result: Mapping[str, Any]) -> str:
    seconds = f"{result['elapsed_ms'] / 1000:.1f} s"
    if result["passed"]:
        return f"check passed: `{result['command']}` ({seconds})"
    return f"check failed: `{result['command']}` ({_how(result)}, {seconds})"


def _how(result: Mapping[str, Any]) -> str:
    if result["ended"] == "exited":
        said = [line for line in str(result["output"]["tail"]).splitlines() if line.strip()]
        last = f": {said[-1].strip()[:200]}" if said else ""
        return str(result["note"] or f"exit code {result['exit_code']}{last}")
    return "its time was over" if result["ended"] == "timeout" else str(result["note"] or "not started")


def failures(results: Sequence[Mapping[str, Any]]) -> str:
    """The checks that failed, as one sentence."""
    failed = [_told(result).removeprefix("check failed: ") for result in results if not result["passed"]]
    return f"{len(failed)} of {len(results)} checks failed: {'; '.join(failed)}"


def unproved_claims(claim: str, files: Sequence[str]) -> tuple[str, ...]:
    """What the agent says it changed and what no comparison found. It is called so, and no more than that.

    A sentence counts where it says in the past that something was done to a file that it names.
    """
    told: dict[str, None] = {}
    claims_any = False
    for sentence in _SENTENCE.split(claim)[:_MOST_SENTENCES]:
        if not _CLAIMS.search(sentence) or _DENIES.search(sentence):
            continue
        named = list(named_files(sentence))
        claims_any = claims_any or bool(named)
        told |= dict.fromkeys(path for path in named if not _found(path, files))
    if claims_any and not files:
        return ("unproved claim: the agent says that it changed files, but no file was modified",)
    return tuple(f"unproved claim: {path} was not modified" for path in list(told)[:_MOST_NAMED])


def named_files(text: str) -> Iterator[str]:
    """The words of a text that look like a file's path, in their order."""
    return (found[0] for found in _PATH.finditer(text) if _is_file(found[0]))


def _is_file(path: str) -> bool:
    if "/" in path:
        return not _ADDRESS.match(path)
    return path.rpartition(".")[2].lower() in _ENDINGS and not _PRODUCTS.fullmatch(path)


def _found(path: str, files: Sequence[str]) -> bool:
    wanted = path.removeprefix("./").lower()
    return any(
        file.lower() == wanted or file.lower().endswith("/" + wanted) or wanted.endswith("/" + file.lower())
        for file in files
    )
