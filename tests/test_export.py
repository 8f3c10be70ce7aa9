"""`evt export` gives the stored lines byte for byte, or CloudEvents, from any place to any place."""

import errno
import os
from pathlib import Path

import orjson
import pytest

from eventstore.cloud_event import line_of
from tests.exported import lines_of, mirror_of, told
from tests.homes import START
from tests.reading_evt import Evt


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told(tmp_path_factory.mktemp("home"))


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home, capsys)


def test_the_stored_lines_come_out_byte_for_byte(home: Path, evt: Evt) -> None:
    said = evt("export")
    assert (said.code, said.err) == (0, "")
    assert said.out.encode() == mirror_of(home).read_bytes()


def test_a_file_is_written_whole_and_over_an_older_one(home: Path, evt: Evt, tmp_path: Path) -> None:
    target = tmp_path / "log.ndjson"
    target.write_text("older\n", encoding="utf-8")
    said = evt("export", "-o", str(target))
    assert (said.code, said.out) == (0, "")
    assert "events to" in said.err
    assert target.read_bytes() == mirror_of(home).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["log.ndjson"]


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        (("--since", "@5"), 5, None),
        (("--until", "@5"), 1, 5),
        (("--until", "5"), 1, 5),
        (("--since", "@5", "--until", "@5"), 5, 5),
        (("--until", "2026-01-02T03:04:08Z"), 1, 4),
        (("--since", "2026-01-02T03:04:08Z", "--until", "2026-01-02T03:04:09.5Z"), 4, 5),
        (("--since", "@9", "--until", "@3"), 9, 8),
        (("--since", "@999"), 999, None),
    ],
)
def test_a_part_of_the_log_comes_out(
    home: Path, evt: Evt, words: tuple[str, ...], first: int, last: int | None
) -> None:
    assert START == 1_767_323_045_000_000
    said = evt("export", *words)
    assert said.code == 0
    assert said.out.encode() == b"".join(lines_of(home)[first - 1 : last])


def test_cloudevents_come_out_one_a_line_and_say_the_same(home: Path, evt: Evt) -> None:
    said = evt("export", "--format", "cloudevents")
    assert said.code == 0
    assert [line_of(line) + b"\n" for line in said.out.encode().splitlines()] == lines_of(home)


def test_tail_gives_cloudevents_and_the_stored_lines(home: Path, evt: Evt) -> None:
    said = evt("tail", "-n", "2", "--format", "cloudevents", "--type", "task_queued")
    lines = said.out.encode().splitlines()
    assert [orjson.loads(line)["type"] for line in lines] == ["task_queued"] * 2
    assert all(line_of(line) + b"\n" in lines_of(home) for line in lines)
    assert evt("tail", "-n", "3", "--format", "ndjson").out.encode() == b"".join(lines_of(home)[-3:])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--until", "@999"), 6, "there is no event 999"),
        (("--until", "yesterday; rm -rf"), 2, "--until"),
        (("--since", "then"), 2, "--since"),
        (("--format", "csv"), 2, "csv"),
        (("-o", "/dev"), 2, "is no regular file"),
        (("-o", "/nowhere/at/all"), 2, "there is no folder /nowhere/at."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(evt: Evt, words: tuple[str, ...], code: int, says: str) -> None:
    said = evt("export", *words)
    assert (said.code, says in said.err) == (code, True), said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("name", ["events.db", "events.ndjson", "new.txt"])
def test_the_homes_own_files_are_not_written(home: Path, evt: Evt, name: str) -> None:
    before = {path: path.read_bytes() for path in (home / "logs").glob("events.*")}
    said = evt("export", "-o", str(home / "logs" / name))
    assert (said.code, "keeps its own state" in said.err) == (2, True)
    assert {path: path.read_bytes() for path in (home / "logs").glob("events.*")} == before


def test_a_disk_that_is_full_ends_with_74_and_leaves_no_half_file(
    evt: Evt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = evt("export", "-o", str(tmp_path / "log.ndjson"))
    assert (said.code, os.strerror(errno.ENOSPC) in said.err) == (74, True), said.err
    assert list(tmp_path.iterdir()) == []
