"""The log as text: the mirror beside it, and what is exported or read from lines."""
