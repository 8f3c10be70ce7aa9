"""Known forms of secrets, taken out before the log sees them."""
