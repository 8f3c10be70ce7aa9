"""A wish put in order for the agent: goal, steps and what shows that it is done, in the person's sense."""

from typing import Annotated, Final

from pydantic import Field

from handlers.mediating.reply import Reply, Unusable, plain

PREDICT: Final = 900
_Line = Annotated[str, Field(max_length=240)]


class ShapedWish(Reply):
    goal: Annotated[str, Field(max_length=400)]
    steps: Annotated[tuple[_Line, ...], Field(max_length=8)]
    done_when: Annotated[tuple[_Line, ...], Field(max_length=5)]


def shaped_text(wish: ShapedWish) -> str:
    """As the agent reads it. Raises Unusable where the goal is empty."""
    goal = plain(wish.goal, 400)
    if not goal:
        raise Unusable("empty", "the model named no goal.")
    steps = [line for line in (plain(step, 240) for step in wish.steps) if line]
    ends = [line for line in (plain(end, 240) for end in wish.done_when) if line]
    parts = [f"Goal: {goal}"]
    if steps:
        parts.append("\n".join(["Steps:", *(f"{number}. {step}" for number, step in enumerate(steps, 1))]))
    if ends:
        parts.append("\n".join(["Done when:", *(f"- {end}" for end in ends)]))
    return "\n\n".join(parts)
