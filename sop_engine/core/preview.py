"""A text as it would be sent: what a preview shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preview:
    """A text as it would be sent in one language. `parts` are SMS; `fallbacks` name what was unknown and what stands for it."""

    template: str
    locale: str
    channel: str
    purpose: str
    subject: str
    text: str
    length: int
    parts: int | None
    max_length: int | None
    fallbacks: tuple[tuple[str, str], ...]
    missing: str = ""  # why it cannot be written
