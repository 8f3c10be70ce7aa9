"""The recorded agent: a session of Claude Code played again, and trouble on request."""
