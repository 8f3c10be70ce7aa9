"""Every technology, and the composition of the program."""
