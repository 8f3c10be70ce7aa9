"""The domain's words: events, commands, task file, artifact."""
