"""The protocols that adapters implement, by subject; a decider never holds one."""
