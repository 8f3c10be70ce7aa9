"""What the local model is asked, and what is taken of its answers: a purpose a file, all of it pure."""
