"""A verb that cannot do what was asked: what is wrong, what to do, and the exit code."""

from typing import Final

GOOD: Final = 0
BAD: Final = 1
USAGE: Final = 2
TIMED_OUT: Final = 3
NOT_PERMITTED: Final = 4
TASK_FAILED: Final = 5
NOT_FOUND: Final = 6
CONFLICT: Final = 7
UNAVAILABLE: Final = 69
DISK_FAILED: Final = 74
INTERRUPTED: Final = 130

EXIT_OF_CODE: Final = {
    "usage": USAGE,
    "refused": USAGE,
    "not_permitted": NOT_PERMITTED,
    "not_found": NOT_FOUND,
    "conflict": CONFLICT,
    "id_conflict": CONFLICT,
    "stale": CONFLICT,
}
"""Exit codes of what a rule refuses; a code that is not named here is an input of no use (2)."""


class Failure(Exception):
    """Ends the verb. `sentence` says what is wrong and where, `hint` what to do.

    The hint is left empty only where the sentence comes from below with its remedy in it.
    """

    def __init__(self, exit_code: int, code: str, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
        self.code = code
        self.sentence = sentence
        self.hint = hint
