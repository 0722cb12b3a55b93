"""Reads what providers say of the texts they approve, templates/approved.yml, and holds our texts to it."""

from collections.abc import Mapping, Sequence

from sop_engine.core.approval import APPROVED, STATES, Approval, around, first_difference
from sop_engine.core.sms import sign_of, without_sign
from sop_engine.core.template import Template
from sop_engine.language import forms
from sop_engine.language.front_matter import FrontMatter
from sop_engine.language.keys import TEXT, form, one_of
from sop_engine.language.names import normal
from sop_engine.language.reader import Key, Reader
from sop_engine.language.report import did_you_mean
from sop_engine.language.source import Node
from sop_engine.language.template_parts import Branches, Literal, Piece, Text
from sop_engine.language.yaml_tree import plain_lines, read_yaml

FILE = "templates/approved.yml"
VARIABLE = {"aliyun_sms": "${%s}", "tencent_sms": "{%s}"}
"""How a variable is written in the texts of each provider whose texts are compared with ours."""

KEYS = {
    "state": Key(one_of(*STATES), required=True),
    "text": Key(TEXT),
    "checked": Key(form(forms.DATE)),
    "note": Key(TEXT),
}

Approvals = Mapping[str, Mapping[str, Approval]]


def read_approvals(texts: Mapping[str, str], reader: Reader) -> dict[str, dict[str, Approval]]:
    """What the file says, by channel and by the provider's id of the text; empty where there is no such file."""
    found: dict[str, dict[str, Approval]] = {}
    for document in read_yaml(FILE, plain_lines(texts[FILE]), reader.report) if FILE in texts else ():
        root = document.root if document.root is None else reader.map(document.root, "a document of this file")
        for _, key, listed in root or ():
            channel = reader.name(key, "channel")
            if channel is not None:
                found.setdefault(channel, {}).update(_of_channel(listed, channel, reader))
    return found


def _of_channel(node: Node, channel: str, reader: Reader) -> dict[str, Approval]:
    """The texts of one channel; one without a state that can be read is left out, and that is reported."""
    listed = reader.map(node, f"what is said of '{channel}'")
    found = {}
    for name, _, value in listed or ():
        values = reader.keys(value, KEYS, f"the text '{name}' of '{channel}'")
        values.pop("note", None)
        if "state" in values:
            found[name] = Approval(**values, place=str(value.place))
    return found


def check_approval(template: Template, via: str, matter: FrontMatter, text: Text, approvals: Approvals) -> None:
    """Add 534 where our text is not the one the provider has, and 732 where it is not approved or not listed beside others."""
    listed, ours = approvals.get(template.channel, {}), template.provider_template
    if not ours or not listed:
        return
    known, place = listed.get(ours), matter.place("provider_template")
    if known is None:
        hint = did_you_mean(ours, listed)
        matter.report.warn(place, 732, f"'{ours}' is not among the texts of '{template.channel}' in {FILE}.{hint}")
        return
    if known.state != APPROVED:
        sentence = f"'{ours}' is {known.state} ({known.place}): '{template.name}' waits and is not sent until it is approved."
        matter.report.warn(place, 732, sentence)
    if known.state in (APPROVED, "pending") and known.text:
        _compare(known, via, matter, text, ours)


def _compare(known: Approval, via: str, matter: FrontMatter, text: Text, name: str) -> None:
    """A rejected or withdrawn text binds nobody: ours is being rewritten."""
    written = _in_its_form(text.pieces, via, matter)
    if written is None:
        return
    ours = "".join(part for part, _ in written)
    offsets = [offset + i if literal else offset for part, (offset, literal) in written for i in range(len(part))]
    unsigned, theirs = (without_sign(t, sign_of(t)).strip() for t in (ours, known.text))
    at = first_difference(unsigned, theirs)
    if at is None:
        return
    skipped = len(ours.rstrip()) - len(unsigned)  # what was cut off at the beginning: the signature
    place = matter.body.at(offsets[min(skipped + at, len(offsets) - 1)] if offsets else 0)
    sentence = f"the text differs from that of '{name}' ({known.place}): there '{around(theirs, at)}', here '{around(unsigned, at)}'."
    matter.report.add(place, 534, sentence)


def _in_its_form(pieces: Sequence[Piece], via: str, matter: FrontMatter) -> list[tuple[str, tuple[int, bool]]] | None:
    """Our text as the provider writes it, in parts with their places in ours; None where it cannot be said (reported as 521)."""
    named: dict[str, list[str]] = {}
    for variable, name in matter.pairs("provider_vars"):
        named.setdefault(normal(name.value), []).append(variable.value)
    links = {f"link.{normal(name.value)}": address.value for name, address in matter.pairs("links")}
    found: list[tuple[str, tuple[int, bool]]] = []
    for piece in pieces:
        if isinstance(piece, Branches) or via not in VARIABLE:
            return None
        if isinstance(piece, Literal):
            found.append((piece.text, (piece.offset, True)))
        elif piece.name in links:
            found.append((links[piece.name], (piece.offset, False)))
        elif piece.name in named:
            several = named[piece.name]  # a name written twice may be two variables of the provider
            found.append((VARIABLE[via] % (several.pop(0) if len(several) > 1 else several[0]), (piece.offset, False)))
        else:
            return None
    return found
