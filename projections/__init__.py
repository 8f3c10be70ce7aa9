"""Views: pure folds of the log, row by row."""
