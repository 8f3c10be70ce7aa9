"""Which changed files a task did not name: paths are compared part by part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.validation_files import PATH_LIMIT, TOLD, first_of, numbered, outside

CWD = "/srv/shop"
PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("cart.py", "cart.py"),
        ("src/cart.py", "./src//cart.py"),
        ("src/cart.py", "src"),
        ("src/cart.py", "src/"),
        ("src/cart.py", "."),
        ("src/cart.py", "lib/../src/cart.py"),
        ("src/cart.py", "/srv/shop/src/cart.py"),
        ("src/cart.py", "/srv/shop"),
        ("a\\b.py", "a\\b.py"),
    ],
)
def test_a_file_that_the_task_names_or_whose_folder_it_names_is_expected(changed: str, expected: str) -> None:
    assert outside([changed], [expected], CWD) == ()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("src-old/cart.py", "src"),
        ("cart.py.bak", "cart.py"),
        ("src/cart.py", "cart.py"),
        ("src", "src/cart.py"),
        ("Src/cart.py", "src"),
        ("src/cart.py", "src\\cart.py"),
        ("cart.py", "../cart.py"),
        ("cart.py", "../../shop/cart.py"),
        ("cart.py", "/srv/shop-old/cart.py"),
        ("cart.py", "/srv/sh"),
    ],
)
def test_a_beginning_that_is_the_same_is_no_folder(changed: str, expected: str) -> None:
    assert outside([changed], [expected], CWD) == (changed,)


@pytest.mark.parametrize("cwd", ["C:\\work\\shop", "\\\\host\\share\\shop"])
def test_on_windows_case_and_the_kind_of_slash_make_no_difference(cwd: str) -> None:
    assert outside(["src/Cart.py"], ["SRC\\cart.py"], cwd) == ()
    assert outside(["src/Cart.py"], [f"{cwd}\\Src"], cwd) == ()
    assert outside(["src/Cart.py"], ["D:\\other"], cwd) == ("src/Cart.py",)


def test_where_nothing_is_expected_everything_may_change() -> None:
    assert outside(["a", "b"], [], CWD) == ()


@given(changed=st.lists(PATHS, max_size=6), expected=st.lists(PATHS, min_size=1, max_size=4))
def test_it_says_what_walking_up_from_each_file_says(changed: list[str], expected: list[str]) -> None:
    def named(path: str) -> bool:
        return path in expected or ("/" in path and named(path.rpartition("/")[0]))

    assert outside(changed, expected, CWD) == tuple(path for path in changed if not named(path))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_path_can_break_the_comparison(changed: str, expected: str, cwd: str) -> None:
    assert set(outside([changed], [expected], cwd)) <= {changed}


def test_a_path_of_a_million_parts_is_compared_to_its_end() -> None:
    deep = "a/" * 500_000
    assert outside([deep], [deep + "b"], CWD) == (deep,)
    assert outside([deep + "b"], [deep], CWD) == ()


def test_a_few_paths_are_named_and_the_others_counted() -> None:
    assert (numbered(["a"]), numbered(["a", "b"])) == ("1 file", "2 files")
    assert first_of(["a", "b"]) == "a, b"
    assert first_of([str(number) for number in range(TOLD + 3)]) == "0, 1, 2, 3, 4 and 3 more"
    assert first_of(["x" * 1000 + "end"]) == f"…{'x' * (PATH_LIMIT - 4)}end"
