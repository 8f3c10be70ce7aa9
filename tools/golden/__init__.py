"""Golden tasks: whole tasks with a recorded session, and what the program makes of them."""
