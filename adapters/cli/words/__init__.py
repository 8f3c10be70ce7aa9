"""Events, tasks and attempts in words for people."""
