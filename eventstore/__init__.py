"""The log: one global order, append only. It knows no word of the domain."""
