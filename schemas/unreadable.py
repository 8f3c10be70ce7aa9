"""Why what came could not be taken in as a task."""


class Unreadable(Exception):
    """Something that came is not a task. Nothing of it is taken in.

    `code` is for programs; `reason` is one sentence that says what is wrong and where,
    `remedy` one that says what to do. `line` counts from 1 in the file; None where the
    fault has no line.
    """

    def __init__(self, code: str, reason: str, remedy: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.remedy = remedy
        self.line = line
