"""A storm of kills over the real service: whatever dies when, each task ends once and nothing lives on."""
