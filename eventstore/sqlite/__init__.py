"""The log in a SQLite file: opened, written, looked after, copied and made again."""
