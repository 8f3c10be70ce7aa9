"""Tasks that wait for each other in a circle are told so, wherever somebody asks why nothing happens."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from adapters.cli.words.others import NAMED, Others, some_of
from projections.projection import Row
from tests.service import evt, folder, home_at, task_text

NAMES = "ABCDEF"
STATUSES = ("waiting_dependency", "queued")
TASKS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(
        st.sampled_from(["waiting_dependency", "queued"]), st.lists(st.sampled_from(NAMES + "X"), max_size=3)
    ),
)


def as_rows(tasks: dict[str, tuple[str, list[str]]]) -> dict[str, Row]:
    return {
        name.lower(): {"task_id": name, "status": status, "waits_for": waits_for}
        for name, (status, waits_for) in tasks.items()
    }


def reached(rows: dict[str, Row], key: str) -> set[str]:
    """All that must end before the task can begin, as far as it can be told."""
    found, new = set[str](), {key}
    while new:
        found |= new - {key}
        rows_of_new = [rows[one] for one in new if one in rows]
        told = {
            name.lower()
            for row in rows_of_new
            if row["status"] == "waiting_dependency"
            for name in row["waits_for"]
        }
        if key in told:
            found.add(key)
        new = told - found - {key}
    return found


@given(TASKS)
def test_a_task_waits_for_itself_just_where_it_is_among_those_it_waits_for(
    tasks: dict[str, tuple[str, list[str]]],
) -> None:
    rows = as_rows(tasks)
    others = Others(rows.get)
    for key, row in rows.items():
        circle = others.circle(row)
        assert bool(circle) == (key in reached(rows, key))
        if circle:
            assert (circle[0], circle[-1]) == (row["task_id"], row["task_id"])
            assert len({*circle}) == len(circle) - 1
        for one, next_one in itertools.pairwise(circle):
            assert next_one in rows[one.lower()]["waits_for"]


def row(name: str, *waits_for: str) -> Row:
    return {"task_id": name, "status": "waiting_dependency", "waits_for": list(waits_for)}


def test_of_two_ways_back_the_shorter_one_is_told() -> None:
    rows = {"a": row("A", "B", "C"), "b": row("B", "C"), "c": row("C", "A"), "d": row("D", "A")}
    others = Others(rows.get)
    assert others.circle(rows["a"]) == ["A", "C", "A"]
    assert others.circle(rows["b"]) == ["B", "C", "A", "B"]
    assert others.circle(rows["d"]) == []


class Counted(dict[str, Row]):
    asked = 0

    def row(self, key: str) -> Row | None:
        self.asked += 1
        return self.get(key)


def test_a_long_chain_is_looked_through_once_for_a_whole_list() -> None:
    rows = Counted({f"t{n}": row(f"t{n}", f"t{n + 1}") for n in range(2000)})
    others = Others(rows.row)
    assert not any(others.circle(one) for one in rows.values())
    assert rows.asked <= len(rows) + 1


def test_of_a_large_circle_a_few_are_named() -> None:
    rows = {f"t{n}": row(f"t{n}", f"t{(n + 1) % 50}") for n in range(50)}
    circle = Others(rows.get).circle(rows["t7"])
    assert len(circle) == 51
    assert some_of(circle) == [*circle[:NAMED], "43 more"]
    assert some_of(circle[: NAMED + 1]) == circle[: NAMED + 1]


def test_list_show_and_a_drain_name_the_circle_and_what_to_do(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    files = [home / "one.task.md", home / "two.task.md", home / "self.task.md"]
    for file, after in zip(files, ("two", "one", "self"), strict=True):
        text = task_text(folder(home, file.name), after=after)
        file.write_text(text, encoding="utf-8", newline="\n")
    assert evt(home, "add", *map(str, files)).returncode == 0
    listed = evt(home, "list").stdout
    assert "waits for itself: one after two after one" in listed
    assert "waits for itself: self after self" in listed
    shown = evt(home, "show", "two").stdout
    assert "waits for itself: two after one after two" in shown
    assert "none of one, two ever begins: cancel them, and add them anew with other ids" in shown
    assert "`evt cancel two` takes it back" in shown
    drained = evt(home, "run", "--drain", "--quiet")
    assert "waits for itself: self after self" in drained.stderr + drained.stdout
    assert drained.returncode == 0
