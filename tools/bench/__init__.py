"""Measurements: how fast it is, always beside something that anybody can run. See docs/performance.md."""
