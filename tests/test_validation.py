"""What is found of an attempt: a few issues decide, every other one is a signal and changes no end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState, Tries
from handlers.validation import DECIDING
from schemas import names
from schemas.attempt import EndAttempt
from schemas.file_changes import FileChanges
from schemas.task import TaskType
from schemas.validation import ENTROPY, SIMILARITY, Issue, Validated
from schemas.word import Fact
from tests.rule_bench import CONDITIONS, Bench, check, report, spec, stderr

FIGURES = "The sum in cart.py, line 12, leaves the last item out; nothing else looked wrong to me there."
CHANGED = {"path": "cart.py", "change": "modified", "moved_from": None}
COMMAND = Bench().command(EndAttempt)
STRICT = {"similarity_threshold": 1.0, "entropy_threshold": 1.0}
LAX = {"similarity_threshold": 0.0, "entropy_threshold": 0.0}


def state_of(
    task_type: TaskType = "bug_fix",
    *changes: Mapping[str, Any],
    earlier: tuple[Mapping[str, Any], ...] = (),
    shaped: str = "",
    checks: tuple[bool, ...] = (),
    conditions: Mapping[str, Any] | None = None,
    asked: Mapping[str, Any] | None = None,
    **turn: Any,
) -> AttemptState:
    """An attempt that is to be judged; without a word its agent answered well and changed nothing."""
    return AttemptState(
        spec=spec(task_type=task_type, agent=task_type, **(asked or {})).model_dump(mode="json"),
        attempt=1,
        open=True,
        executor=names.EXECUTOR,
        measured=True,
        compared=True,
        report=report(**{"result_text": FIGURES, **turn}).model_dump(mode="json"),
        changes=FileChanges("snapshot", earlier, changes),
        shaped=shaped,
        checks=tuple(
            check(index, passed=passed).model_dump(mode="json") for index, passed in enumerate(checks)
        ),
        conditions={**CONDITIONS.model_dump(mode="json"), **(conditions or {})},
    )


def decided(state: AttemptState) -> list[Fact]:
    return list(ATTEMPT.decide(COMMAND, state))


def validated(state: AttemptState) -> Validated:
    first = decided(state)[0]
    assert isinstance(first, Validated)
    return first


def found(state: AttemptState) -> dict[str, Issue]:
    """All issues by their codes, of which each stands once in either half."""
    told = validated(state)
    by_code: dict[str, Issue] = {}
    for judged in (told.llama, told.result):
        issues = judged.issues if judged is not None else ()
        assert len({issue.code for issue in issues}) == len(issues)
        by_code |= {issue.code: issue for issue in issues}
    return by_code


def ending(state: AttemptState) -> tuple[Any, ...]:
    """What follows from the attempt: type, class, reason, and the wait before the next one."""
    facts = [fact for fact in decided(state) if not isinstance(fact, Validated)]
    told = ("error_class", "reason", "retry", "delay_s", "wake_at", "resets_at", "verified", "resume")
    return tuple((fact.TYPE, *(getattr(fact, name, None) for name in told)) for fact in facts)


# each issue, and what it was measured on

SIGNALS: dict[str, tuple[AttemptState, str]] = {
    "low_similarity": (
        state_of(shaped="Write a poem about the sea, please."),
        "similarity 0.",
    ),
    "low_entropy": (state_of(result_text="=" * 200 + " done, in cart.py"), "entropy 0."),
    "failed_without_errors": (state_of(has_result=False, result_text=""), "no_result, exit code 0"),
    "too_short_for_its_type": (state_of("analyze", result_text="All is well."), "3 words, threshold 8"),
    "names_no_file_or_line": (
        state_of("code_review", result_text="I have read all of it, and it looks good to me."),
        "47 characters",
    ),
    "unexpected_edit_language_in_readonly_task": (
        state_of("analyze", result_text=f"{FIGURES} I fixed it."),
        "“I fixed it”",
    ),
    "no_files_modified_but_success": (state_of(), "0 files"),
    "claims_modifications_without_evidence": (
        state_of("bug_fix", CHANGED, result_text="I updated shop.py and till.py, and all tests pass."),
        "shop.py was not modified, and 1 more",
    ),
    "modified_files_outside_expected": (
        state_of("bug_fix", CHANGED, asked={"target_files": ("shop.py", "src")}),
        "1 of 1 file: cart.py; named: shop.py, src",
    ),
    "edit_in_readonly_task": (state_of("analyze", earlier=(CHANGED,)), "1 file: cart.py"),
    "truncated_output": (state_of(answer_cut=True, subtype="error_max_turns"), "its stop reason"),
    "check_failed": (
        state_of(checks=(True, False), subtype="error_max_turns"),
        "1 of 2, the first of them `make test`",
    ),
}
"""An attempt for each code that can be a signal, and what stands beside it."""


@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_says_in_a_sentence_what_was_found_and_on_what(code: str) -> None:
    state, measured = SIGNALS[code]
    issue = found(state)[code]
    assert not issue.decides
    assert issue.sentence.endswith(".")
    assert issue.sentence[0].islower()
    assert issue.measured.startswith(measured)


DECISIONS: dict[str, tuple[AttemptState, str]] = {
    "empty_output": (state_of(result_text=" \n"), "0 characters, no structured output"),
    "truncated_output": (
        state_of(answer_cut=True, is_error=True, assistant_error="max_output_tokens"),
        "max_output_tokens",
    ),
    "edit_in_readonly_task": (
        state_of("summarize", CHANGED, {**CHANGED, "path": "shop.py", "change": "deleted"}),
        "2 files: cart.py, shop.py",
    ),
    "check_failed": (
        state_of("bug_fix", CHANGED, checks=(False, True, False)),
        "2 of 3, the first of them `make test`",
    ),
}


@pytest.mark.parametrize("code", sorted(DECISIONS))
def test_an_issue_that_decides_is_tried_again_once_and_then_fails_the_task(code: str) -> None:
    assert DECISIONS.keys() == DECIDING
    state, measured = DECISIONS[code]
    issue = found(state)[code]
    assert (issue.decides, issue.measured) == (True, measured)
    assert not validated(state).result.valid
    ((kind, error_class, reason, retry, *_),) = ending(state)
    assert (kind, error_class, reason, retry) == ("retry_scheduled", "validation", code, 1)
    again = replace(state, tries=Tries({"validation": 1}))
    failed = decided(again)[-1].model_dump()
    assert (failed["error_class"], failed["reason"]) == ("validation", code)
    assert failed["sentence"].endswith("It was tried 2 times.")
    assert failed["suggested_actions"]


def test_a_good_attempt_has_nothing_to_say() -> None:
    told = validated(state_of("bug_fix", CHANGED, asked={"target_files": ("cart.py",)}))
    assert (told.llama, told.result.valid, told.result.issues) == (None, True, ())
    assert told.result.similarity is None
    assert told.result.entropy is not None
    assert (told.similarity_threshold, told.entropy_threshold) == (SIMILARITY, ENTROPY)


def test_a_prompt_that_keeps_the_wish_is_valid_and_what_the_agent_makes_of_it_is_no_matter() -> None:
    told = validated(state_of(shaped="Goal: Mend it. Then run the tests.", result_text=""))
    assert told.llama is not None
    assert (told.llama.valid, told.llama.similarity, told.llama.issues) == (True, 1.0, ())
    assert not told.result.valid


def test_what_only_the_comparison_could_tell_is_not_told_where_it_failed() -> None:
    claims = state_of(result_text="I updated shop.py, and all is well.")
    lost = replace(claims, uncompared="the directory could not be read")
    assert {"no_files_modified_but_success", "claims_modifications_without_evidence"} <= set(found(claims))
    assert found(lost) == {}


def test_the_words_of_an_error_are_not_measured_as_an_answer() -> None:
    told = validated(state_of("code_review", is_error=True, result_text="." * 300, api_error_status=500))
    assert (told.result.valid, told.result.entropy, told.result.issues) == (False, None, ())


@pytest.mark.parametrize("exit_code", [137, 143, -9, -11])
def test_a_death_is_not_measured(exit_code: int) -> None:
    facts = decided(state_of(has_result=False, exit_code=exit_code))
    assert [fact.TYPE for fact in facts] == ["task_interrupted"]


def test_an_agent_that_never_began_is_not_measured() -> None:
    facts = decided(state_of(ended="not_started", has_result=False, exit_code=None))
    assert [fact.TYPE for fact in facts] == ["retry_scheduled"]


def test_whoever_cancelled_it_gets_no_measures() -> None:
    facts = decided(replace(state_of(), cancel_requested=True, cancelled_by=("cli:ann", "no")))
    assert [fact.TYPE for fact in facts] == ["task_cancelled"]


# settings


def test_thresholds_are_those_of_the_claim() -> None:
    shaped = "Mend it and run all the tests of the shop, then tell what you have found in a few words."
    state = state_of("bug_fix", CHANGED, shaped=shaped)
    assert found(state) == {}
    strict = found(replace(state, conditions={**state.conditions, **STRICT}))
    assert set(strict) == {"low_entropy"}
    assert strict["low_entropy"].measured.endswith(", threshold 1.00")
    told = validated(replace(state, conditions={**state.conditions, **LAX}))
    assert (told.similarity_threshold, told.entropy_threshold) == (0.0, 0.0)


def test_a_claim_of_an_older_version_says_nothing_of_validation_and_gets_the_defaults() -> None:
    known = {"similarity_threshold", "entropy_threshold", "validation_retries", "validation_backoff"}
    whole = state_of(result_text="")
    old = replace(whole, conditions={k: v for k, v in whole.conditions.items() if k not in known})
    assert len(old.conditions) == len(whole.conditions) - len(known)
    assert decided(old) == decided(whole)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_as_many_retries_as_the_setting_says(most: int) -> None:
    state = state_of(result_text="", conditions={"validation_retries": most})
    kinds = [decided(replace(state, tries=Tries({"validation": done})))[-1].TYPE for done in range(most + 1)]
    assert kinds == ["retry_scheduled"] * most + ["task_failed"]


def test_each_wait_is_so_many_times_the_one_before() -> None:
    state = state_of(result_text="", conditions={"validation_retries": 9, "validation_backoff": 5.0})
    first, second = (
        decided(replace(state, tries=Tries({"validation": done})))[-1].model_dump()["delay_s"]
        for done in (0, 1)
    )
    assert second == pytest.approx(5 * first, abs=0.01)


# signals decide nothing

TYPES = st.sampled_from(["analyze", "summarize", "code_review", "documentation", "bug_fix"])
SAID = st.sampled_from(
    ["", FIGURES, "Done.", "x" * 300, "I fixed cart.py.", "I updated a.py and b.py. " * 3, "I removed it"]
)
TURNS = st.fixed_dictionaries(
    {},
    optional={
        "ended": st.sampled_from(["exited", "timeout", "inactivity", "not_started"]),
        "exit_code": st.sampled_from([0, 1, 137, None]),
        "has_result": st.booleans(),
        "subtype": st.sampled_from(["success", "error_max_turns", "error_max_budget_usd"]),
        "is_error": st.booleans(),
        "num_turns": st.integers(0, 2),
        "result_text": SAID,
        "has_structured_output": st.booleans(),
        "deferred": st.booleans(),
        "answer_cut": st.booleans(),
        "api_error_status": st.sampled_from([None, 400, 401, 429, 529]),
        "assistant_error": st.sampled_from([None, "max_output_tokens", "rate_limit", "unknown"]),
        "errors": st.sampled_from([(), ("it broke",)]),
        "stderr": st.sampled_from([stderr(""), stderr("no such file")]),
        "denials": st.sampled_from([(), ({"tool": "Edit", "tool_use_id": "t", "detail": "x"},)]),
    },
)
CHANGES = st.lists(st.sampled_from(["a.py", "cart.py", "src/b.py"]), unique=True, max_size=2).map(
    lambda paths: tuple({**CHANGED, "path": path} for path in paths)
)
STATES = st.builds(
    lambda task_type, now, earlier, checks, turn, done: replace(
        state_of(task_type, *now, earlier=earlier, checks=tuple(checks), **turn),
        tries=Tries({"validation": done}),
    ),
    TYPES,
    CHANGES,
    CHANGES,
    st.lists(st.booleans(), max_size=2),
    TURNS,
    st.integers(0, 2),
)
BESIDE = st.fixed_dictionaries(
    {
        "shaped": SAID,
        "thresholds": st.sampled_from([STRICT, LAX]),
        "target_files": st.sampled_from([(), ("cart.py",), ("elsewhere",)]),
        "prompt": st.sampled_from(["Mend it.", FIGURES]),
        "answer": SAID.filter(bool),
    }
)


def flipped(state: AttemptState, beside: Mapping[str, Any]) -> AttemptState:
    """The same attempt with everything else that only signals are made from.

    An answer becomes another one; whether there is one, and what an error says, is no signal.
    """
    told, asked = dict(state.report or {}), dict(state.spec or {})
    if told["result_text"].strip() and not told["is_error"]:
        told["result_text"] = beside["answer"]
    asked |= {"target_files": list(beside["target_files"]), "prompt": beside["prompt"]}
    conditions = {**state.conditions, **beside["thresholds"]}
    return replace(state, report=told, spec=asked, shaped=beside["shaped"], conditions=conditions)


@given(state=STATES, beside=BESIDE)
def test_whatever_the_signals_say_the_end_stays_what_it_is(
    state: AttemptState, beside: Mapping[str, Any]
) -> None:
    assert ending(flipped(state, beside)) == ending(state)


def test_the_flips_of_that_test_raise_signals_that_were_not_there() -> None:
    state = state_of("code_review", shaped="Mend it.")
    assert found(state) == {}
    beside = {
        "shaped": "x" * 300,
        "thresholds": STRICT,
        "target_files": (),
        "prompt": FIGURES,
        "answer": "I removed it",
    }
    assert set(found(flipped(state, beside))) == {
        "low_similarity",
        "low_entropy",
        "too_short_for_its_type",
        "names_no_file_or_line",
        "unexpected_edit_language_in_readonly_task",
    }


@given(state=STATES)
def test_an_issue_decides_exactly_where_the_end_bears_its_name(state: AttemptState) -> None:
    first, *rest = decided(state)
    if not isinstance(first, Validated):
        return
    issues = [*first.result.issues, *(first.llama.issues if first.llama else ())]
    deciding = [issue.code for issue in issues if issue.decides]
    ((_, error_class, reason, *_),) = ending(state)
    assert deciding == ([reason] if error_class == "validation" else [])
    assert set(deciding) <= DECIDING
    assert first.result.valid == (rest[-1].TYPE == "task_succeeded")
    assert {*DECIDING, *SIGNALS} >= {issue.code for issue in issues}


@pytest.mark.parametrize(
    "part", ["x", "I fixed a.py. ", "a/b/", "cart.py:1 ", "=\n", "changed \u2019", "((("]
)
def test_a_megabyte_of_one_kind_is_judged_to_its_end(part: str) -> None:
    text = part * (10**6 // len(part))
    state = state_of("code_review", shaped=text[::-1], asked={"prompt": text}, result_text=text)
    told = validated(state)
    assert told.llama is not None
    assert told.result.entropy is not None
