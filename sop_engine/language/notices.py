"""Reads alerts and reports: what is watched or shown, and where it is sent."""

from sop_engine.core.catalog import Alert, Report
from sop_engine.language import forms
from sop_engine.language.documents import Documents, Entry
from sop_engine.language.names import no_such, normal
from sop_engine.language.playbooks import Playbooks
from sop_engine.language.reader import Reader
from sop_engine.language.report import did_you_mean
from sop_engine.language.source import Map, Node, Text
from sop_engine.language.vocabulary import ALERT, REPORT


def read_alerts(documents: Documents, playbooks: Playbooks, reader: Reader) -> dict[str, Alert]:
    """The alerts by name."""
    found = {}
    for entry in documents.lines("alerts"):
        values = reader.keys(entry.node, ALERT, "an alert")
        bound, value = _bound(entry, reader)
        of = _subject(values.get("of"), playbooks, reader)
        if "watch" in values and "send" in values:
            found[entry.name] = Alert(entry.name, values["watch"], values["send"], of, values.get("per"), bound, value)
    return found


def read_reports(documents: Documents, playbooks: Playbooks, reader: Reader) -> dict[str, Report]:
    """The reports by name."""
    found = {}
    for entry in documents.lines("reports"):
        values = reader.keys(entry.node, REPORT, "a report")
        of = _subject(values.get("of"), playbooks, reader)
        every = entry.node.get("every") if isinstance(entry.node, Map) else None
        if "cross" in values.get("show", ()) and len(values.get("by", ())) != 2:
            reader.error(entry.key, 616, "'show: cross' needs two of 'by', such as [content_type, variant].")
        if "show" in values:
            found[entry.name] = Report(
                entry.name,
                values["show"],
                of,
                values.get("by", ()),
                every.value if isinstance(every, Text) else "",
                values.get("send", ""),
                values.get("format", ("html", "csv")),
            )
    return found


def _bound(entry: Entry, reader: Reader) -> tuple[str, str]:
    node = entry.node
    have = [key for key in ("above", "below") if isinstance(node, Map) and node.has(key)]
    if len(have) != 1 or not isinstance(node, Map):
        if isinstance(node, Map) and (have or all(key in ALERT for key in node.entries)):
            this = "this has both" if have else "this has neither"
            reader.error(entry.key, 205, f"an alert needs exactly one of above, below; {this}.")
        return "", ""
    value = node.get(have[0])
    text = reader.text(value) if value is not None else None
    if value is None or text is None:
        return have[0], ""
    if text != "usual" and forms.SHARE.parse(text) is None and forms.NUMBER.parse(text) is None:
        reader.error(value, 203, f"'{text}' is no bound. Write a share such as '5%', a number, or usual.")
    return have[0], text


def _subject(node: Node | None, playbooks: Playbooks, reader: Reader) -> str:
    """A level with its model, a tier, playbook, flow, channel or benefit."""
    text = normal(reader.text(node) or "") if node is not None else ""
    if node is None or not text:
        return ""
    names = reader.names
    tier, sign, level = (part.strip() for part in text.partition("="))
    if sign and names.knows("tier", tier):
        levels = names.symbols[tier].words
        if levels and level not in levels:
            reader.error(node, 404, f"'{tier}' has no level '{level}'.{did_you_mean(level, levels)}")
        return f"{tier} = {level}"
    kinds = ("tier", "playbook", "channel", "benefit")
    if text not in playbooks.flows and not any(names.knows(kind, text) for kind in kinds):
        listed = [*(n for kind in kinds for n in names.listed(kind)), *playbooks.flows]
        reader.error(node, 301, no_such("level, tier, playbook, flow, channel or benefit", text, listed))
    return text
