"""What developers run: set-up and test entry, the tidy check, the schema generator."""
