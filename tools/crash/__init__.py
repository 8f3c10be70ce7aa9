"""Crashes and faults on purpose: the real program killed, cut off and refused at every call that counts."""
