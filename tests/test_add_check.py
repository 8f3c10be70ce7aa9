"""`evt add --check` says what would happen, with the rules' own sentences, and writes nothing at all."""

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from tests.service import drop, evt, folder, home_at, task_text

NOTHING_OF_SQLITES = ("-shm", "-wal")
"""What a reader of a log makes beside it, as every reading verb does; it holds no word."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8", newline="\n")
    return str(path)


def everything(home: Path) -> Mapping[str, tuple[int, bytes]]:
    """Every file of a home: when it was last written, and what it holds."""
    files = (
        path for path in home.rglob("*") if path.is_file() and not path.name.endswith(NOTHING_OF_SQLITES)
    )
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_good_file_is_told_with_all_that_it_would_get(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    assert evt(home, "add", "look at it", "--json").returncode == 0
    first = orjson.loads(evt(home, "list", "--json").stdout)[0]["id"]
    file = write(
        tmp_path / "Tonight.task.md",
        task_text(
            cwd,
            priority="high",
            after=f"[{first}, nobody]",
            not_before="2099-01-01T00:00:00Z",
            commit="branch",
            ticket="web-7",
        ),
    )
    said = evt(home, "add", "--check", file)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines() == [
        "Tonight.task.md: would be taken in as Tonight",
        "  title       Mend it",
        "  type        bug_fix, done by the agent bug_fix",
        f"  cwd         {cwd}",
        "  priority    high",
        f"  waits for   {first} (queued), nobody (unknown)",
        "  not before  2099-01-01 00:00:00Z",
        "  tools       Read, Glob, Grep, Edit, Write, NotebookEdit, Bash; Bash without being asked",
        "  note        Unknown keys are kept as metadata and change nothing: ticket.",
        "  note        `commit` is kept, but this version does not act on it.",
    ]


def test_as_json_it_is_one_document_of_the_same(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    file = write(tmp_path / "a.task.md", task_text(cwd, after="[b]"))
    said = evt(home, "add", "--check", "--json", file)
    assert orjson.loads(said.stdout) == [
        {
            "name": "a.task.md",
            "verdict": "taken",
            "task_id": "a",
            "title": "Mend it",
            "task_type": "bug_fix",
            "agent": "bug_fix",
            "cwd": str(cwd),
            "priority": "medium",
            "waits_for": [{"task_id": "b", "status": "unknown"}],
            "not_before": None,
            "tools": ["Read", "Glob", "Grep", "Edit", "Write", "NotebookEdit", "Bash"],
            "allowed": ["Bash"],
            "checks": [],
            "decided": {},
            "alternatives": [],
            "warnings": [],
        }
    ]


def test_a_text_is_told_as_well_and_its_id_is_made_when_it_is_added(home: Path) -> None:
    said = evt(home, "add", "--check", "explain", "the", "cart", "--priority", "low")
    assert said.returncode == 0
    lines = said.stdout.splitlines()
    assert lines[0] == "the text: would be taken in as task_ and 8 digits"
    assert "  title       explain the cart" in lines
    assert "  priority    low" in lines


@pytest.mark.parametrize(
    "words", [["FILE"], ["FILE", "--json"], ["a text"], ["BAD"], ["FILE", "BAD", "--json"]]
)
def test_nothing_is_written_not_even_an_event(home: Path, tmp_path: Path, words: list[str]) -> None:
    files = {
        "FILE": write(tmp_path / "a.task.md", task_text(folder(home))),
        "BAD": write(tmp_path / "bad.task.md", task_text(folder(home), priority="no")),
    }
    drop(home, "waiting", task_text(folder(home)))
    before = everything(home)
    evt(home, "add", "--check", *(files.get(word, word) for word in words))
    assert everything(home) == before


def test_what_is_refused_is_told_with_the_sentence_and_the_advice(home: Path, tmp_path: Path) -> None:
    good = write(tmp_path / "good.task.md", task_text(folder(home)))
    bad = write(tmp_path / "bad.task.md", task_text(folder(home), priority="no"))
    said = evt(home, "add", "--check", good, bad)
    assert said.returncode == 2
    lines = said.stdout.splitlines()
    assert lines[0] == "good.task.md: would be taken in as good"
    assert lines[-2:] == [
        'bad.task.md: would be refused: Line 4: `priority` is "no"; it may be high, medium or low.',
        "  Write one of these, or take the line out.",
    ]
    assert evt(home, "add", good, bad).stderr.splitlines() == [
        'evt: bad.task.md: Line 4: `priority` is "no"; it may be high, medium or low.',
        "     Write one of these, or take the line out.",
    ]


def test_an_id_of_other_bytes_is_a_conflict_one_of_the_same_is_known_and_a_stem_gets_the_next_number(
    home: Path, tmp_path: Path
) -> None:
    cwd = folder(home)
    nightly = write(tmp_path / "a.task.md", task_text(cwd, id="Nightly"))
    other = write(tmp_path / "b.task.md", task_text(cwd, "three", id="NIGHTLY"))
    stem = write(tmp_path / "nightly.task.md", task_text(cwd))
    assert evt(home, "add", "--check", nightly).returncode == 0
    assert evt(home, "add", nightly).returncode == 0
    again = evt(home, "add", "--check", nightly)
    known = "task Nightly was taken in before with the same bytes and is queued."
    advice = "  Have it done again with `evt retry Nightly`, or give the file another `id`."
    wanted = [f"a.task.md: is known already: {known}", advice]
    assert (again.returncode, again.stdout.splitlines()) == (0, wanted)
    (row,) = orjson.loads(evt(home, "add", "--check", "--json", nightly).stdout)
    assert (row["verdict"], row["task_id"], row["code"]) == ("known", "Nightly", "already_known")
    conflict = evt(home, "add", "--check", other)
    assert (conflict.returncode, conflict.stdout.splitlines()[0]) == (
        7,
        "b.task.md: would be refused: the id NIGHTLY belongs to another task, which is queued.",
    )
    numbered = evt(home, "add", "--check", stem)
    assert (numbered.returncode, numbered.stdout.splitlines()[0]) == (
        0,
        "nightly.task.md: would be taken in as nightly-2",
    )
    assert evt(home, "add", stem).stdout.split()[0] == "nightly-2", "and so it comes"


def test_several_files_are_judged_as_if_each_came_after_the_others(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    same = [write(tmp_path / name / "same.task.md", task_text(cwd)) for name in ("one", "two")]
    written = [write(tmp_path / name / "x.task.md", task_text(cwd, name, id="X")) for name in ("one", "two")]
    said = evt(home, "add", "--check", "--json", *same, *written)
    told = orjson.loads(said.stdout)
    assert said.returncode == 7
    assert [(row["verdict"], row.get("task_id")) for row in told] == [
        ("taken", "same"),
        ("taken", "same-2"),
        ("taken", "X"),
        ("conflict", None),
    ]


def test_a_name_that_the_log_would_not_show_is_refused_without_being_said(home: Path, tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    file = write(tmp_path / "a.task.md", task_text(folder(home), id=secret[:40]))
    said = evt(home, "add", "--check", file)
    assert (said.returncode, said.stdout.splitlines()) == (
        2,
        [
            "a.task.md: would be refused: The id looks like a secret, and the log keeps none.",
            "  Give it another name.",
        ],
    )


def test_a_check_does_not_wait(home: Path) -> None:
    said = evt(home, "add", "--check", "--wait", "look")
    assert (said.returncode, "not allowed with argument" in said.stderr) == (2, True)


def test_a_check_needs_a_home_and_good_settings(home: Path, tmp_path: Path) -> None:
    nowhere = evt(tmp_path / "nowhere", "add", "--check", "look")
    assert (nowhere.returncode, "which is no home" in nowhere.stderr) == (2, True)
    (home / ".env").write_text("MAX_CONCURRENT_TASKS=lots\n", encoding="utf-8", newline="\n")
    bad = evt(home, "add", "--check", "look")
    assert (bad.returncode, "MAX_CONCURRENT_TASKS is 'lots'" in bad.stderr) == (2, True)


def test_what_a_file_waits_for_may_stand_behind_it(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    first = write(tmp_path / "q1.task.md", task_text(cwd, after="q2, nobody"))
    second = write(tmp_path / "q2.task.md", task_text(cwd))
    checked = orjson.loads(evt(home, "add", "--check", "--json", first, second).stdout)
    assert checked[0]["waits_for"] == [
        {"task_id": "q2", "status": "received"},
        {"task_id": "nobody", "status": "unknown"},
    ]
    added = orjson.loads(evt(home, "add", "--json", first, second).stdout)
    assert added[0]["warnings"] == ["`after` names nobody, which is not known yet."]


def test_each_check_stands_on_a_line_of_its_own(home: Path, tmp_path: Path) -> None:
    criteria = "\n**Success Criteria:**\n- [ ] $ `true; true`\n- [ ] $ `grep two price.txt`\n"
    file = write(tmp_path / "two.task.md", task_text(folder(home)) + criteria)
    lines = evt(home, "add", "--check", file).stdout.splitlines()
    assert [line for line in lines if line.startswith("  check ")] == [
        "  check       true; true",
        "  check       grep two price.txt",
    ]
