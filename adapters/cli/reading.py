"""The log, opened for reading, and every view over it."""

from contextlib import AbstractContextManager

from adapters.cli.call import Call
from adapters.cli.reading_views import Reading as Reading
from adapters.cli.reading_views import reading_views
from projections.all_views import ALL


def reading(call: Call) -> AbstractContextManager[Reading]:
    """Raises Failure, LogUnreadable. Says so where the stored views were of no use."""
    return reading_views(call, ALL)
