"""How Hypothesis runs here: a failure prints what repeats it, and no example is timed."""

from hypothesis import settings

settings.register_profile("house", print_blob=True, deadline=None)
settings.load_profile("house")
