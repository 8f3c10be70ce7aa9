"""Whether the till can be read by Python at all."""

import ast
from pathlib import Path

ast.parse(Path("till.py").read_text(encoding="utf-8"))
print("till.py is Python")
