"""What cannot be read, and the sentence that says what to do."""


class LogUnreadable(Exception):
    """The file is not a log that this program can read; the text says what to do."""


class LineDamaged(LogUnreadable):
    """One event's line is not what was written."""

    def __init__(self, position: int, why: object) -> None:
        super().__init__(
            f"event {position} is damaged, its line is no event any more: `evt recover` makes the log again "
            f"from its mirror ({why})"
        )
        self.position = position
