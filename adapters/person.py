"""Who sits at the keyboard."""

import getpass


def actor() -> str:
    """`cli:USER`, as every event of a verb names its actor."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        # No name for this user id: a container, say. (On Windows the lookup itself may be missing.)
        return "cli"
