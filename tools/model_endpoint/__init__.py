"""A small real model on loopback that answers as Ollama does, for tests and for trying things out."""
