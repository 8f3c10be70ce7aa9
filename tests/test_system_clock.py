"""Ids that sort by the time they were made, whatever the clock does."""

import threading
import uuid
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.system_clock import RANDOM_BITS, SystemClock, SystemIds

MOMENTS = st.lists(st.integers(min_value=0, max_value=(1 << 47) * 1000), min_size=2, max_size=50)


def test_the_clock_counts_microseconds_since_1970() -> None:
    # between 2020 and 2100
    assert 1_577_836_800_000_000 < SystemClock().now() < 4_102_444_800_000_000


def test_an_id_is_a_uuid_of_version_7_with_its_milliseconds_in_front() -> None:
    made = uuid.UUID(SystemIds(lambda: 0x0123_4567_89AB * 1000 + 999).new())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 0x0123_4567_89AB


@given(MOMENTS)
def test_ids_grow_although_the_clock_goes_back(moments: list[int]) -> None:
    left = list(moments)
    ids = SystemIds(lambda: left.pop())
    made = [ids.new() for _ in moments]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert all(uuid.UUID(one).version == 7 for one in made)


def test_a_full_random_part_carries_into_the_next_millisecond() -> None:
    ids = SystemIds(lambda: 5000)
    ids._last = (5 << RANDOM_BITS) + (1 << RANDOM_BITS) - 1
    made = uuid.UUID(ids.new())
    assert made.int >> 80 == 6
    assert made.version == 7


def test_threads_never_get_the_same_id() -> None:
    ids = SystemIds(lambda: 1_000_000)
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(ids.new() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000
