"""Says what is odd about texts beyond their own lines: what of their reader stands in them and in their links."""

import re

from sop_engine.core.template import Template
from sop_engine.language.lint_places import Lint

_PRIVATE = re.compile(r"[\w.+-]+@[\w-]+\.\w+|(?<!\d)1[3-9]\d{9}(?!\d)")


def lint_texts(lint: Lint) -> None:
    """Add the message 731."""
    for texts in lint.project.templates.values():
        for template in texts.values():
            if template.purpose != "internal":
                _private(template, lint)


def _private(template: Template, lint: Lint) -> None:
    """Phone numbers and mail addresses of the reader: whoever sees the screen, the link or the provider's log sees them too."""
    attributes = lint.project.attributes
    told = [name for name in sorted(template.uses) if name in attributes and attributes[name].type in ("phone", "email")]
    told += [f"link.{name}" for name, address in template.links if _PRIVATE.search(address)]
    if told:
        sentence = (
            f"'{template.name}' writes {', '.join(told)}: a phone number or mail address belongs in no text and no link. Leave it out."
        )
        lint.report.warn(lint.template(template), 731, sentence)
