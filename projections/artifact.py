"""The artifact of a task, from its stream alone: the same events give the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from eventstore.event import Recorded
from projections import story as stories
from projections.projection import Row
from projections.story import Story
from projections.summary import summary as summary
from projections.validity import validity
from schemas import names

SCHEMA_VERSION: Final = "1.1"
RAW_LIMIT: Final = 64 * 1024
TRIAGE_LIMIT: Final = 2048

SILENT: Final[Mapping[str, Any]] = {"head": "", "tail": "", "text": "", "size": 0, "sha256": None}
"""An output of an agent that never spoke."""

ReadBlob = Callable[[str], bytes]


INDEX_PATH: Final = "results/index.json"


def build(events: Sequence[Recorded], read_blob: ReadBlob | None = None) -> dict[str, Any]:
    """The artifact of one task's stream, as of its last turn or end.

    `read_blob` gives the bytes of a blob by its SHA-256 (FileNotFoundError); it is
    asked only for an output whose text does not stand in the log itself.
    Raises NothingToWrite.
    """
    story = stories.read(events)
    report = story.report or {}
    stdout, stderr = report.get("stdout", SILENT), report.get("stderr", SILENT)
    end = story.end.data if story.end is not None else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "task_id": story.task_id,
        "parent_task_id": story.received["parent_task_id"],
        "turn_of": story.received["turn_of"],
        "success": story.end is not None and story.end.type == names.TASK_SUCCEEDED,
        "return_code": report.get("exit_code"),
        "timestamp": story.last.when,
        "execution_time": story.elapsed_ms / 1000,
        "errors": _errors(story, report),
        "files_modified": [_file(change) for change in story.files],
        "raw_stdout": _raw(stdout, read_blob),
        "raw_stderr": _raw(stderr, read_blob),
        "triage": {
            # Redaction may have made an end longer than it was cut to.
            "stdout_head": stdout["head"][:TRIAGE_LIMIT],
            "stdout_tail": stdout["tail"][-TRIAGE_LIMIT:],
            "stderr_head": stderr["head"][:TRIAGE_LIMIT],
            "stderr_tail": stderr["tail"][-TRIAGE_LIMIT:],
        },
        "parsed_output": _parsed(report),
        "retry": {"retries": max(0, story.attempts - 1), "error_class": end.get("error_class", "none")},
        **_conditions(story),
        "llama": _llama(story),
        "validation": _validation(story),
        "git": {"branch": None, "commit": None, "pushed": False, "pull_request": None},
        "suggested_actions": list(end.get("suggested_actions", ())),
        "security": _security(story),
        "linkage": _linkage(story),
        "outcome": _outcome(story, report),
        "cost": stories.cost(story),
        "conversation": _conversation(story),
    }


def render(artifact: Mapping[str, Any]) -> bytes:
    """The one way to write it: sorted keys, two spaces, UTF-8, a newline at the end."""
    return orjson.dumps(
        artifact, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    )


def index(rows: Mapping[str, Row]) -> bytes:
    """results/index.json from the rows of the view `artifacts`: task id → path of its artifact."""
    return render({row["task_id"]: row["path"] for row in rows.values()})


def _errors(story: Story, report: Mapping[str, Any]) -> list[str]:
    """Why it did not succeed, in sentences, then what the agent reported, each once."""
    errors: list[str] = []
    if story.end is not None and story.end.type == names.TASK_FAILED:
        errors.append(story.end.data["sentence"])
    if story.end is not None and story.end.type == names.TASK_CANCELLED:
        errors.append(f"cancelled by {story.end.data['by']}: {story.end.data['reason']}")
    errors += report.get("errors", ())
    # What is noted of a good end is evidence, not an error.
    if report.get("note") and not (story.end is not None and story.end.type == names.TASK_SUCCEEDED):
        errors.append(report["note"])
    return list(dict.fromkeys(errors))


def _file(change: Mapping[str, Any]) -> dict[str, Any]:
    found = {"path": change["path"], "change": change["change"]}
    if change["moved_from"] is not None:
        found["from"] = change["moved_from"]
    return found


def _raw(captured: Mapping[str, Any], read_blob: ReadBlob | None) -> str:
    """At most 64 KiB of UTF-8 of an output, from its beginning."""
    if captured["text"] or not captured["size"] or captured["sha256"] is None or read_blob is None:
        content = str(captured["text"]).encode()
    else:
        content = read_blob(captured["sha256"])
    return content[:RAW_LIMIT].decode(errors="ignore" if len(content) > RAW_LIMIT else "replace")


def _parsed(report: Mapping[str, Any]) -> dict[str, Any] | None:
    if not report.get("has_result"):
        return None
    told = ("subtype", "is_error", "num_turns", "terminal_reason", "model", "agent_version")
    return {"result": report["result_text"], **{name: report[name] for name in told}}


def _conditions(story: Story) -> dict[str, Any]:
    """Under what settings the last attempt ran; null where none was made."""
    given = story.claim["conditions"] if story.claim is not None else {}
    return {
        "orchestrator": {
            "components": {
                "claude_available": given.get("executable_found"),
                "llama_available": _llama(story)["ollama_available"],
                "file_watcher_running": given.get("watcher_running"),
            },
            "workers": given.get("workers"),
        },
        "bridge": {
            "available": given.get("executable_found"),
            "claude_executable": given.get("executable"),
            "max_turns": given.get("max_turns"),
            "timeout": given.get("timeout_s"),
            "skip_permissions": given.get("skip_permissions"),
        },
    }


def _llama(story: Story) -> dict[str, Any]:
    """How far the local model had a hand in the task; null where nobody asked it."""
    asked = [told for told in story.mediations if told["asked"]]
    answered = any(told["fallback"] not in names.MODEL_FAILURES for told in asked)
    by_model = any(told["by"] == "model" for told in asked)
    return {
        "ollama_available": answered if asked else None,
        "client_initialized": bool(asked),
        "model": asked[-1]["model"] if asked else None,
        "mode": "LLAMA" if by_model else "FALLBACK",
    }


def _validation(story: Story) -> dict[str, Row]:
    """What was measured of the last attempt; null where it was not judged."""
    told = story.validated or {"llama": None, "result": None}
    return {half: validity(told[half]) for half in ("llama", "result")}


def _security(story: Story) -> dict[str, Any]:
    spec = story.spec
    end = story.end.data if story.end is not None else {}
    violations = []
    if end.get("error_class") == "security":
        violations.append({"type": end["reason"], "path": spec["cwd"]})
    return {
        "guarded_write": bool(story.claim and story.claim["conditions"]["guarded_write"]),
        "allowlist_root": spec["allowed_root"],
        "violations": violations,
        "redactions": story.redactions,
    }


def _linkage(story: Story) -> dict[str, Any]:
    return {
        "correlation_id": story.events[0].correlation_id,
        "attempt": story.attempts,
        "session_id": story.starts[-1].data["session_id"] if story.starts else None,
        "first_global_position": story.events[0].global_position,
        "last_global_position": story.last.global_position,
        "blobs": _blobs(story),
    }


def _blobs(story: Story) -> dict[str, str]:
    """The last turn's outputs by their plain names, earlier ones with attempt and turn before them."""
    blobs = {f"attempt-{attempt}-snapshot": sha for attempt, sha in story.snapshots.items()}
    for turn in story.turns:
        data = turn.data
        last = data["report"] is story.report
        before = "" if last else f"attempt-{data['attempt']}-turn-{data['turn_index']}-"
        for name in ("stdout", "stderr"):
            if data["report"][name]["sha256"] is not None:
                blobs[before + name] = data["report"][name]["sha256"]
    for (attempt, number), result in story.checks.items():
        if result["output"]["sha256"] is not None:
            blobs[f"attempt-{attempt}-check-{number}"] = result["output"]["sha256"]
    return blobs


def _outcome(story: Story, report: Mapping[str, Any]) -> dict[str, Any]:
    end = story.end.data if story.end is not None else {}
    return {
        "ended": report.get("ended") or ("interrupted" if story.started else "not_started"),
        "claimed": end.get("claimed") or report.get("result_text", ""),
        "verified": end.get("verified", "unchecked"),
        "evidence": list(end.get("evidence", ())),
        "checks": [asdict(check) for check in stories.checks(story)],
    }


def _conversation(story: Story) -> list[dict[str, Any]]:
    """Each turn: what the person asked, or the local model answered in his place, and what came of it."""
    wish = story.spec["prompt"]
    said = [
        (event.position, "user", story.answers.get(number, wish), event)
        for number, event in enumerate(story.starts)
    ]
    said += [
        (event.position, "assistant", event.data["report"]["result_text"], event)
        for event in story.turns
        if event.data["report"]["result_text"]
    ]
    return [
        {
            "role": role,
            "content": content,
            "timestamp": event.when,
            "turn_index": event.data["turn_index"],
            "session_id": event.data["session_id"],
        }
        for _, role, content, event in sorted(said, key=lambda entry: entry[0])
    ]
