"""What is found of an attempt that is over: a few issues from which its end follows, and many signals.

Nothing is decided here. The end follows from the verdict, which asks for none of these measures: an issue
decides where it bears the verdict's own reason, every other one is shown, recorded and nothing more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from handlers.outcome import Verdict
from handlers.tools import edits
from handlers.validation_files import first_of, numbered, outside
from handlers.validation_shape import names_a_place, talks_of_edits, words_short
from handlers.validation_text import COMPARED, entropy, similarity
from handlers.verification import unproved_claims
from schemas.turn import TurnReport
from schemas.validation import ENTROPY, SIMILARITY, Issue, Judged, Validated

DECIDING: Final = frozenset({"empty_output", "edit_in_readonly_task", "truncated_output", "check_failed"})
"""The codes from which an end may follow. No other issue ever changes one."""


@dataclass(frozen=True, slots=True)
class Worked:
    """All that is known of the attempt. `checks` and `conditions` are as they stand in the log.

    `changed_now` are the paths that changed since this attempt's snapshot, `changed` those of all
    attempts, None where the comparison failed. `shaped` is the mediator's prompt, or empty.
    """

    attempt: int
    spec: Mapping[str, Any]
    report: TurnReport
    verdict: Verdict
    shaped: str
    changed_now: Sequence[str]
    changed: Sequence[str] | None
    checks: Sequence[Mapping[str, Any]]
    conditions: Mapping[str, Any]

    @property
    def edits(self) -> bool:
        return edits(str(self.spec["task_type"]))

    @property
    def answer(self) -> str:
        """What the agent said of its own accord; an error's words are the program's."""
        return self.report.result_text if self.report.has_result and not self.report.is_error else ""


def validated(worked: Worked) -> Validated:
    near = float(worked.conditions.get("similarity_threshold", SIMILARITY))
    varied = float(worked.conditions.get("entropy_threshold", ENTROPY))
    return Validated(
        attempt=worked.attempt,
        llama=_of_prompt(str(worked.spec["prompt"]), worked.shaped, near, varied),
        result=_of_result(worked, varied),
        similarity_threshold=near,
        entropy_threshold=varied,
    )


def _of_prompt(wish: str, shaped: str, near: float, varied: float) -> Judged | None:
    if not shaped.strip():
        return None
    issues, found, variety = [], similarity(wish, shaped), entropy(shaped)
    if found < near:
        cut = f", of the first {COMPARED} characters" if max(len(wish), len(shaped)) > COMPARED else ""
        said = f"similarity {found:.2f}, threshold {near:.2f}{cut}"
        issues.append(Issue(code="low_similarity", sentence=_FAR, measured=said))
    if variety is not None and variety < varied:
        issues.append(_poor("the mediator's prompt", variety, varied))
    return Judged(valid=not issues, similarity=found, entropy=variety, issues=tuple(issues))


_FAR: Final = "the mediator's prompt says little of what the task says."


def _poor(subject: str, found: float, threshold: float) -> Issue:
    return Issue(
        code="low_entropy",
        sentence=f"{subject} says little for its length.",
        measured=f"entropy {found:.2f}, threshold {threshold:.2f}",
    )


def _of_result(worked: Worked, varied: float) -> Judged:
    variety = entropy(worked.answer) if worked.answer.strip() else None
    issues = [*_of_the_end(worked)]
    if variety is not None and variety < varied:
        issues.append(_poor("the answer", variety, varied))
    issues += [*_of_the_answer(worked), *_of_the_files(worked)]
    return Judged(valid=worked.verdict.kind == "succeeded", entropy=variety, issues=tuple(issues))


def _of_the_end(worked: Worked) -> Iterator[Issue]:
    """What decides, where nothing else decided first."""
    report, verdict = worked.report, worked.verdict
    if report.answer_cut:
        told = report.assistant_error or "its stop reason"
        yield _issue(worked, "truncated_output", "the answer was cut off at the model's limit.", told)
    if verdict.reason == "empty_output":
        yield _issue(worked, "empty_output", "there is no answer.", "0 characters, no structured output")
    if not worked.edits and worked.changed_now:
        said = f"{numbered(worked.changed_now)}: {first_of(worked.changed_now)}"
        yield _issue(worked, "edit_in_readonly_task", "files changed during a task that may only read.", said)
    if failed := [result for result in worked.checks if not result["passed"]]:
        first = f"`{str(failed[0]['command'])[:200]}`"
        said = f"{len(failed)} of {len(worked.checks)}, the first of them {first}"
        yield _issue(worked, "check_failed", "checks of the task file failed.", said)


def _issue(worked: Worked, code: str, sentence: str, measured: str) -> Issue:
    decides = worked.verdict.kind == "failed" and worked.verdict.reason == code
    return Issue(code=code, sentence=sentence, measured=measured, decides=decides)


def _of_the_answer(worked: Worked) -> Iterator[Issue]:
    report, kind, answer = worked.report, str(worked.spec["task_type"]), worked.answer
    if worked.verdict.error_class == "fatal" and not _names_an_error(report):
        sentence = "the attempt failed, and its agent named no error."
        code = "" if report.exit_code is None else f", exit code {report.exit_code}"
        yield Issue(
            code="failed_without_errors", sentence=sentence, measured=f"{worked.verdict.reason}{code}"
        )
    if not answer.strip():
        return
    if (short := words_short(answer, kind)) is not None:
        sentence = f"the answer is very short for a task of type {kind}."
        yield Issue(
            code="too_short_for_its_type",
            sentence=sentence,
            measured=f"{short[0]} words, threshold {short[1]}",
        )
    if kind == "code_review" and not names_a_place(answer):
        sentence = "the review names no file and no line."
        yield Issue(code="names_no_file_or_line", sentence=sentence, measured=f"{len(answer)} characters")
    if not worked.edits and (said := talks_of_edits(answer)) is not None:
        sentence = "the answer talks as if files had been edited, in a task that may only read."
        yield Issue(code="unexpected_edit_language_in_readonly_task", sentence=sentence, measured=f"“{said}”")


def _names_an_error(report: TurnReport) -> bool:
    return bool(report.is_error or report.errors or report.assistant_error or report.stderr.tail.strip())


def _of_the_files(worked: Worked) -> Iterator[Issue]:
    changed = worked.changed
    if changed is None:
        return  # of what could not be compared nothing can be missed
    if not worked.edits and changed and not worked.changed_now:
        yield Issue(
            code="edit_in_readonly_task",
            sentence="files changed during an earlier attempt of a task that may only read.",
            measured=f"{numbered(changed)}: {first_of(changed)}",
        )
    if worked.edits and not changed and worked.verdict.kind == "succeeded":
        sentence = f"no file was modified by a task of type {worked.spec['task_type']}."
        yield Issue(code="no_files_modified_but_success", sentence=sentence, measured="0 files")
    if worked.answer and (claims := unproved_claims(worked.verdict.claimed, changed)):
        yield Issue(
            code="claims_modifications_without_evidence",
            sentence="the answer claims changes that no comparison found.",
            measured=claims[0].removeprefix("unproved claim: ")
            + (f", and {len(claims) - 1} more" if len(claims) > 1 else ""),
        )
    expected = tuple(worked.spec["target_files"])
    if beside := outside(changed, expected, str(worked.spec["cwd"])):
        yield Issue(
            code="modified_files_outside_expected",
            sentence="files were modified that the task does not name.",
            measured=f"{len(beside)} of {numbered(changed)}: {first_of(beside)}; named: {first_of(expected)}",
        )
