"""What was measured of an attempt, as the artifact, the summary and the task's page tell it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli.words.events import words
from eventstore.memory_log import MemoryLog
from projections.artifact import build, render, summary
from schemas import names
from schemas.artifact import Artifact
from schemas.validation import Issue, Judged, Validated
from tests.homes import BuiltHome
from tests.life_cycles import Lives, claimed, failed, queued, received, turn_finished, turn_started
from tests.reading_evt import Evt

MEASURED = Validated(
    attempt=1,
    llama=Judged(
        valid=False,
        similarity=0.41,
        entropy=0.9,
        issues=(Issue(code="low_similarity", sentence="it says little.", measured="similarity 0.41"),),
    ),
    result=Judged(
        valid=False,
        entropy=0.88,
        issues=(
            Issue(code="check_failed", sentence="checks failed.", measured="1 of 1", decides=True),
            Issue(code="no_files_modified_but_success", sentence="none was.", measured="0 files"),
        ),
    ),
    similarity_threshold=0.7,
    entropy_threshold=0.8,
)


@pytest.fixture
def lives() -> Lives:
    return Lives(MemoryLog())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


def summed_up(lives: Lives, task_id: str = "T") -> list[str]:
    return summary(list(lives.log.stream(names.task_stream(task_id)))).splitlines()


def built(lives: Lives) -> Artifact:
    return Artifact.model_validate_json(render(build(list(lives.log.stream("task-t")))))


def test_what_was_measured_stands_under_validation_each_issue_by_its_code(lives: Lives) -> None:
    lives.tell(
        "T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1), MEASURED, failed()
    )
    found = built(lives).validation
    assert (found.llama.valid, found.llama.similarity, found.llama.entropy) == (False, 0.41, 0.9)
    assert found.llama.issues == ("low_similarity: it says little (similarity 0.41)",)
    assert (found.result.valid, found.result.similarity, found.result.entropy) == (False, None, 0.88)
    assert [issue.partition(":")[0] for issue in found.result.issues] == [
        "check_failed",
        "no_files_modified_but_success",
    ]


def test_what_was_measured_of_an_attempt_is_not_told_of_the_next_one(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1), MEASURED)
    lives.tell("T", claimed(2), turn_started(2, 1), turn_finished(2, 1))
    found = built(lives).validation
    assert (found.llama.valid, found.result.valid, found.result.issues) == (None, None, ())


def test_the_summary_tells_signals_from_what_decided(lives: Lives) -> None:
    lives.tell(
        "T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1), MEASURED, failed()
    )
    told = summed_up(lives)
    assert "  failed by: check_failed: checks failed (1 of 1)" in told
    assert "  signal:   low_similarity: it says little (similarity 0.41)" in told
    assert "  signal:   no_files_modified_but_success: none was (0 files)" in told
    lives.whole("U")
    assert not [line for line in summed_up(lives, "U") if line.startswith("  signal")]


def test_a_task_of_which_nothing_was_measured_says_nothing_of_it(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), failed(0))
    found = built(lives).validation
    assert found.llama == found.result
    assert (found.result.valid, found.result.entropy, found.result.issues) == (None, None, ())


def test_the_page_of_a_task_tells_figures_what_decided_and_what_only_signals(
    home: BuiltHome, capsys: pytest.CaptureFixture[str]
) -> None:
    home.queue("one")
    home.claim("one")
    home.finish_turn("one")
    home.task("one", MEASURED)
    page = Evt(home.root, capsys)("show", "one").lines
    measured = "similarity of the mediator's prompt 0.41 (threshold 0.70), entropy of the answer 0.88"
    assert f"measured    {measured} (threshold 0.80)" in page
    assert "failed by   check_failed: checks failed (1 of 1)" in page
    assert "signals     low_similarity: it says little (similarity 0.41)" in page
    assert f"{'':12}no_files_modified_but_success: none was (0 files)" in page


def test_a_line_of_the_log_tells_the_codes_and_the_figures(lives: Lives) -> None:
    def told(fact: Validated) -> str:
        lives.tell("T", fact)
        return words(list(lives.log.all())[-1])

    assert told(MEASURED) == (
        "the answer does not stand; failed by check_failed; "
        "signals low_similarity, no_files_modified_but_success; similarity 0.41; entropy 0.88"
    )
    good = Validated(
        attempt=1, llama=None, result=Judged(valid=True), similarity_threshold=0.7, entropy_threshold=0.8
    )
    assert told(good) == "the answer stands"
