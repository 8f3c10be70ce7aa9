"""The stored views in an audit: they must be what the log gives."""

from contextlib import closing, suppress
from typing import Final

from adapters.cli.call import Call
from adapters.cli.progress import Progress
from adapters.cli.watched_log import WatchedLog
from adapters.home import Home
from eventstore.audit.findings import Finding
from eventstore.log import LogUnreadable
from eventstore.sqlite.frozen import Unchanged, in_use
from projections.all_views import ALL
from projections.comparison import Comparison, differences

REMEDY: Final = (
    "`evt replay --verify` shows the row; delete logs/views.db while nothing runs: it is made anew"
)


def _compared(home: Home, progress: Progress) -> Comparison:
    """Nothing is left beside files that nobody has open: see audit_inputs.over_rows. Raises LogUnreadable."""
    if not any(in_use(path) for path in (home.log, home.views)):
        unchanged = Unchanged(home.views)
        with suppress(LogUnreadable), closing(WatchedLog(home, progress, still=True)) as log:
            found = differences(home.views, log, ALL, still=True)
            unchanged.require()
            return found
    with closing(WatchedLog(home, progress)) as log:
        return differences(home.views, log, ALL)


def views_of(call: Call, home: Home) -> tuple[list[Finding], list[str]]:
    """What is wrong with them, and what may be so. Raises LogUnreadable."""
    progress = Progress(call.output, call.environ)
    try:
        found = _compared(home, progress)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # An event that no tree head vouches for yet, and that no view can read.
        return [], [f"the views could not be compared, for an event cannot be folded: {error!r}"]
    finally:
        progress.clear()
    notes = []
    if found.not_compared:
        name, why = min(found.not_compared.items())
        what = "the stored views were" if len(found.not_compared) == len(ALL) else f"the view {name} was"
        notes = [f"{what} not compared: {why}"]
    if not found.differences:
        return [], notes
    first = found.differences[0]
    count = len(found.differences)
    many = "1 row is" if count == 1 else f"{count} rows are"
    text = (
        f"{many} not what the log gives; the first is {first.key!r} in the view {first.view}, "
        f"which event {first.global_position} wrote last"
    )
    return [Finding("VIEWS-DIVERGED", text, first.global_position, count=count, remedy=REMEDY)], notes
