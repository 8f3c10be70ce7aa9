"""Words for the models, as Markdown files beside this one."""

from importlib.resources import files


def load(name: str) -> str:
    """The text of `<name>.md`, such as `agents/bug_fix`. Raises FileNotFoundError."""
    return files(__name__).joinpath(*f"{name}.md".split("/")).read_text(encoding="utf-8")


def agents() -> frozenset[str]:
    """The names of the agents that have words here."""
    found = files(__name__).joinpath("agents").iterdir()
    return frozenset(file.name.removesuffix(".md") for file in found if file.name.endswith(".md"))
