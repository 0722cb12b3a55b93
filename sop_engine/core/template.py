"""A message template: front matter and text, checked."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Template:
    """One text in one language. `variables` maps each name the text uses to its fallback; None means required."""

    name: str
    channel: str
    purpose: str  # marketing, service or internal
    body: str
    content_type: str = ""
    locale: str = ""
    variables: tuple[tuple[str, str | None], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    due: timedelta | None = None
    note: str = ""
    provider_template: str = ""
    provider_vars: tuple[tuple[str, str], ...] = ()  # the provider's name of each blank, and the variable it is filled with
    attachments: tuple[tuple[str, str], ...] = ()
    uses: frozenset[str] = frozenset()  # every name the subject and body read, as written: 昵称, benefit.code, event.amount
    place: str = field(default="", compare=False)

    @property
    def required(self) -> frozenset[str]:
        """Names that must be known for this text to be written."""
        return frozenset(name for name, fallback in self.variables if fallback is None)
