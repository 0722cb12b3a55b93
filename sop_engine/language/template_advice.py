"""Says what a template could do better: words nobody uses, length, parts of an SMS, tone, offers in service texts."""

from collections.abc import Sequence

from sop_engine.core.catalog import Channel
from sop_engine.core.sms import ONE, SMS, sms_parts
from sop_engine.core.template import Template
from sop_engine.core.wording import offer_words
from sop_engine.language.front_matter import FrontMatter, Part
from sop_engine.language.names import normal
from sop_engine.language.template_names import Readable
from sop_engine.language.template_parts import Text, Use


def advise(template: Template, matter: FrontMatter, texts: Sequence[tuple[Part, Text]], readable: Readable, channel: Channel) -> None:
    """Add the warnings 502, 507, 708 and 716 and the info 709 for a template without mistakes."""
    _unused(template, matter)
    _length(template, matter, texts[-1][1], readable, channel)
    if template.purpose == "service":
        _offers(matter, texts)
    if template.purpose != "internal" and not _personal(template):
        matter.report.inform(
            matter.place("template"), 709, f"'{template.name}' says nothing about its reader. Use a name or a fact of theirs."
        )


def _unused(template: Template, matter: FrontMatter) -> None:
    for key, _ in matter.pairs("variables"):
        if normal(key.value) not in template.uses:
            sentence = f"'{key.value}' is listed under 'variables' and not used in the text. Use it, or delete the line."
            matter.report.warn(key.place, 502, sentence)


def _length(template: Template, matter: FrontMatter, text: Text, readable: Readable, channel: Channel) -> None:
    fallbacks = dict(template.variables)

    def width(use: Use) -> int:
        return readable.width(use, fallbacks.get(use.name))

    longest = text.longest(width)
    place = matter.body.at(0, max(len(matter.body.text.split("\n")[0]), 1))
    if channel.max_length is not None and longest > channel.max_length:
        sentence = f"this becomes about {longest} characters long, and '{channel.name}' allows {channel.max_length}. Shorten it."
        matter.report.warn(place, 507, sentence)
    parts = sms_parts("字" * longest)
    if channel.via in SMS and parts > 1:
        sentence = f"this becomes about {longest} characters long: {parts} messages instead of one of up to {ONE}."
        matter.report.warn(place, 708, sentence)


def _offers(matter: FrontMatter, texts: Sequence[tuple[Part, Text]]) -> None:
    for part, text in texts:
        for literal in text.literals:
            for offset, word in offer_words(literal.text):
                sentence = f"'{word}' is an offer, and this is a service text. Make it 'purpose: marketing', or leave the offer out."
                matter.report.warn(part.at(literal.offset + offset, len(word)), 716, sentence)


def _personal(template: Template) -> bool:
    spaces = ("benefit.", "link.", "alert.", "report.")
    return any(not name.startswith(spaces) for name in template.uses)
