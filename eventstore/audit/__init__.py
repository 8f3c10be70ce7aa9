"""Hold a log against its tree, its mirror and its own words; nothing is written."""
