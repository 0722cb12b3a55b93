"""Checks what an SMS carries: variables by the provider's names, characters, addresses, signature, variables side by side."""

from collections.abc import Iterator, Sequence

from sop_engine.core.sms import SMS, TENCENT_VARIABLE, foreign_characters, has_address, unfit_value
from sop_engine.core.template import Template
from sop_engine.language.front_matter import FrontMatter, Part
from sop_engine.language.names import normal
from sop_engine.language.report import did_you_mean
from sop_engine.language.template_names import Readable
from sop_engine.language.template_parts import Branches, Literal, Piece, Text, Use

UNSUBSCRIBE = "link.unsubscribe"


def read_provider_vars(matter: FrontMatter, text: Text) -> tuple[tuple[str, str], ...]:
    """The provider's variables in their order, each with what writes its value: as the text writes it, with its filter."""
    written: dict[str, list[Use]] = {}
    for use in _written(text.pieces):
        written.setdefault(use.name, []).append(use)
    listed = [normal(name.value) for name, _ in matter.pairs("variables")]
    found = []
    for name, value in matter.pairs("provider_vars"):
        uses = written.get(normal(value.value), [])
        forms = list(dict.fromkeys(_source(use) for use in uses)) or ["{{ " + normal(value.value) + " }}"]
        if not uses and normal(value.value) not in listed:
            hint = did_you_mean(value.value, written)
            matter.report.add(value.place, 521, f"'{value.value}' is not written in the text, so the provider cannot get it.{hint}")
        elif len(forms) > 1:
            sentence = f"'{value.value}' is written in {len(forms)} ways in the text: which one goes to the provider? Write it in one way."
            matter.report.add(value.place, 521, sentence)
        else:
            found.append((name.value, forms[0]))
    return tuple(found)


def check_sms(template: Template, via: str, matter: FrontMatter, text: Text, readable: Readable) -> None:
    """Add what is wrong with the text of an SMS: 521 to 526, and 729 where values may be too long for Tencent."""
    if via not in SMS:
        return
    if template.provider_template:
        _check_approved(via, matter, text)
    _check_characters(matter.body, matter, text)
    _check_addresses(matter.body, matter, text)
    _check_signature(matter.body, matter, text)
    for one, other in _side_by_side(text.pieces):
        sentence = f"'{one.name}' and '{other.name}' stand side by side: a text is approved only with words between its variables."
        matter.report.add(matter.body.at(other.offset, len(other.name)), 524, sentence)
    if via == "tencent_sms":
        _check_lengths(template, matter, text, readable)


def _check_approved(via: str, matter: FrontMatter, text: Text) -> None:
    """What the provider approved is one text with its variables: every value of ours must be one of them."""
    pairs = matter.pairs("provider_vars")
    named = {normal(value.value) for _, value in pairs}
    branch = next((use for use in text.uses if use.asked), None)
    if branch is not None:
        matter.report.add(matter.body.at(branch.offset, len(branch.name)), 521, "an approved text has no {% if %}. Write two templates.")
    uses = [use for use in _written(text.pieces) if _is_variable(use)]
    if uses and not matter.root.has("provider_vars"):
        shown = ", ".join(dict.fromkeys(use.name for use in uses))
        sentence = f"'provider_vars' is missing: which variable of the approved text stands for which of {shown}?"
        matter.report.add(matter.place("provider_template"), 521, sentence)
        return
    for use in uses:
        if use.name not in named:
            sentence = f"'{use.name}' is written in the text and stands for no variable under 'provider_vars': it would not be sent."
            matter.report.add(matter.body.at(use.offset, len(use.name)), 521, sentence)
    wanted = [str(n) for n in range(1, len(pairs) + 1)]
    if via == "tencent_sms" and [name.value for name, _ in pairs] != wanted:
        sentence = f"Tencent's variables are numbers that count from 1 in their order: {', '.join(wanted)}."
        matter.report.add(matter.root.key("provider_vars"), 521, sentence)


def _check_characters(part: Part, matter: FrontMatter, text: Text) -> None:
    for literal in text.literals:
        found = foreign_characters(literal.text)
        if found:
            shown = " ".join(dict.fromkeys(c if c.isprintable() else f"U+{ord(c):04X}" for _, c in found))
            sentence = f"an SMS cannot carry {shown}: no emoji, traditional or control characters."
            matter.report.add(part.at(literal.offset + found[0][0]), 523, sentence)
    for name, fallback in matter.pairs("variables"):
        if unfit_value(fallback.value) and not has_address(fallback.value):
            matter.report.add(
                fallback.place, 523, f"what stands for '{name.value}' holds an emoji or a control character: no SMS carries it."
            )


def _check_addresses(part: Part, matter: FrontMatter, text: Text) -> None:
    """The same address for everybody may stand in the approved text; as a value none is taken."""
    for use in text.uses:
        if use.name == UNSUBSCRIBE:
            sentence = "an SMS has no address of each reader's own. Offer a reply instead, such as 拒收请回复R."
            matter.report.add(part.at(use.offset, len(use.name)), 522, sentence)
    for _, value in matter.pairs("provider_vars"):
        if normal(value.value).startswith("link."):
            sentence = f"'{value.value}' is an address, and no variable of an SMS takes one. Write it into the approved text."
            matter.report.add(value.place, 522, sentence)
    for name, fallback in matter.pairs("variables"):
        if has_address(fallback.value):
            sentence = f"'{name.value}' may become an address, and no variable of an SMS takes one. Write it into the approved text."
            matter.report.add(fallback.place, 522, sentence)


def _check_signature(part: Part, matter: FrontMatter, text: Text) -> None:
    signs = [literal.offset + at for literal in text.literals for at, c in enumerate(literal.text) if c == "【"]
    if len(signs) > 1:
        matter.report.add(part.at(signs[1]), 526, "this is a second signature: an SMS has one 【…】, at its beginning.")


def _check_lengths(template: Template, matter: FrontMatter, text: Text, readable: Readable) -> None:
    fallbacks = dict(template.variables)
    widths: dict[str, int] = {}
    for use in _written(text.pieces):
        if _is_variable(use):
            widths[use.name] = max(widths.get(use.name, 0), readable.width(use, fallbacks.get(use.name)))
    places = {normal(name.value): name.place for name, _ in matter.pairs("variables")}
    for name, width in widths.items():
        if width > TENCENT_VARIABLE and name in places:
            sentence = (
                f"'{name}' becomes about {width} characters long, and newer accounts at Tencent take {TENCENT_VARIABLE} in a variable. "
                f"Shorten it, as with '| short({TENCENT_VARIABLE})', or send it another way."
            )
            matter.report.add(places[name], 729, sentence)


def _written(pieces: Sequence[Piece]) -> Iterator[Use]:
    """Every name the text writes, on any way through it."""
    for piece in pieces:
        if isinstance(piece, Use):
            yield piece
        elif isinstance(piece, Branches):
            for option in piece.options:
                yield from _written(option)


def _side_by_side(pieces: Sequence[Piece]) -> Iterator[tuple[Use, Use]]:
    before: Use | None = None
    for piece in pieces:
        if isinstance(piece, Literal):
            before = before if not piece.text.strip() else None
        elif isinstance(piece, Use) and _is_variable(piece):
            if before is not None:
                yield before, piece
            before = piece
        else:
            before = None
            if isinstance(piece, Branches):
                for option in piece.options:
                    yield from _side_by_side(option)


def _is_variable(use: Use) -> bool:
    return not use.name.startswith("link.")


def _source(use: Use) -> str:
    through = f" | short({use.most})" if use.filter == "short" else f" | {use.filter}" if use.filter else ""
    return "{{ " + use.name + through + " }}"
