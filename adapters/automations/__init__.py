"""Each drains one to-do list and dispatches the receipt; they know trio and ports only."""
