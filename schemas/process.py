"""A process beyond doubt."""

from schemas.word import Part


class ProcessIdentity(Part):
    """A process beyond doubt: a pid alone is given out again.

    `started` counts in the system's own unit (clock ticks since boot on Linux,
    microseconds since 1970 elsewhere); `boot_id` tells one boot from another, `host`
    one machine from another (empty in events that did not say it yet).
    """

    pid: int
    started: int
    boot_id: str
    host: str = ""
