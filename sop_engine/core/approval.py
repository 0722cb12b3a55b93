"""What a provider says of a text it has to approve: its state, and the text as it was approved."""

from dataclasses import dataclass, field
from datetime import date, timedelta

APPROVED = "approved"
STATES = (APPROVED, "pending", "rejected", "withdrawn")
LOOK_AGAIN = timedelta(minutes=30)  # what is not approved stays so until a person has applied another file


@dataclass(frozen=True, slots=True)
class Approval:
    """One text at its provider. `text` is in the provider's form; `checked`: the day somebody looked at the provider's console."""

    state: str
    text: str = ""
    checked: date | None = None
    place: str = field(default="", compare=False)


def first_difference(one: str, other: str) -> int | None:
    """The number of the first character that differs, from 0; the length of the shorter text where it goes no further; None: the same."""
    if one == other:
        return None
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def around(text: str, at: int, width: int = 8) -> str:
    """So many characters before and after the place in one line, with … where more of the text stands and ↵ for a line end."""
    start, end = max(at - width, 0), min(at + width + 1, len(text))
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}".replace("\n", "↵")
