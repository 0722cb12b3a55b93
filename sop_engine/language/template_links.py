"""Holds the addresses in a template, named and written, to the hosts the project lists."""

import re
from collections.abc import Iterator, Sequence

from sop_engine.core.links import LinkRules, is_on, without_punctuation
from sop_engine.core.template import Template
from sop_engine.language.front_matter import FrontMatter, Part

_HTTPS = "https://"
_VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_UNSENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_LINK = re.compile(
    r"https?://[!#-;=?-\[\]_a-z~|]*"
    r"|(?<![\w@.~-])(?:[a-z0-9-]+\.)+(?:com|cn|net|org|top|cc|io|me|shop|vip|link)(?![\w@-]|\.\w)",
    re.IGNORECASE | re.ASCII,
)


def check_links(template: Template, parts: Sequence[Part], rules: LinkRules, matter: FrontMatter) -> None:
    """Add 535 for an address that is not https or on none of the project's hosts; nothing where the project lists none.

    What colleagues read may lead elsewhere, apart from named links.
    """
    if not rules.hosts:
        return
    outside = template.purpose in ("marketing", "service")
    for _, named in matter.pairs("links"):
        problem = _problem(named.value, rules, https=outside) if named.value.startswith("http") else ""  # else it is no address: 203
        if problem:
            matter.report.add(named.place, 535, problem)
    for part in parts if outside else ():
        for offset, address, shown in _written(part.text):
            problem = _problem(address, rules, https=True, shown=shown)
            if problem:
                matter.report.add(part.at(offset, len(shown)), 535, problem)


def _problem(address: str, rules: LinkRules, *, https: bool, shown: str = "") -> str:
    shown = shown or address
    if "~" in re.split(r"[/?#]", address.partition("://")[2])[0]:
        return f"'{shown}' has a value where its host is, so nobody knows where it leads. Write the host and '/' before it."
    if not is_on(address if "://" in address else f"{_HTTPS}{address}", rules.hosts):
        return f"'{shown}' is on no host of the project's 'links: hosts'. It can be: {', '.join(rules.hosts)}."
    if https and address.lower().startswith("http://"):
        return f"'{shown}' is not encrypted. Write 'https://…'."
    return ""


def _written(text: str) -> Iterator[tuple[int, str, str]]:
    """Every address in a text: its place, itself, and as it is written; a value in it stands as ~, so that it names no host."""
    sent = _VALUE.sub(lambda found: "~" * len(found[0]), text)
    sent = _UNSENT.sub(lambda found: " " * len(found[0]), sent)
    for found in _LINK.finditer(sent):
        address = without_punctuation(found[0])
        yield found.start(), address, text[found.start() : found.start() + len(address)]
