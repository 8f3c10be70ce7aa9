"""A child process with all that it starts: spawned apart, known beyond doubt, ended whole."""

from adapters.process_tree.rows import alive, boot_id, identity_of
from adapters.process_tree.start import FolderMoved
from adapters.process_tree.trees import Child, ProcessTrees, TreeSurvives

__all__ = ["Child", "FolderMoved", "ProcessTrees", "TreeSurvives", "alive", "boot_id", "identity_of"]
