"""Reads rules of law and platforms: those that are shipped, those a project adds, and what it changes with a reason."""

from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from sop_engine.core.catalog import Channel
from sop_engine.core.forms import Hours
from sop_engine.core.project import Project
from sop_engine.core.rules import Rule, broken, rules_for
from sop_engine.core.template import Template
from sop_engine.language.documents import Documents, Entry, read_documents
from sop_engine.language.reader import Reader
from sop_engine.language.report import Place, Report
from sop_engine.language.source import Map
from sop_engine.language.vocabulary import RULE, RULE_WHEN, SHIPPED_RULES


def read_rules(documents: Documents, wanted: tuple[str, ...], reader: Reader) -> tuple[Rule, ...]:
    """The rules in force: the shipped sets the project asks for, as it changed them, and its own."""
    found = {rule.id: rule for name in wanted if name in SHIPPED_RULES for rule in shipped(name)}
    for entry in documents.lines("rules"):
        values = _values(entry, reader)
        old = found.get(entry.name)
        if old is None:
            if "override" in values:
                reader.error(entry.key, 620, f"'{entry.name}' overrides no rule: there is no shipped one of this name.")
            found[entry.name] = Rule(entry.name, **values)
        elif not values.get("override", "").strip():
            told = f"'{entry.name}' is a shipped rule. Give your own rule another name, or write 'override: REASON' to change this one."
            reader.error(entry.key, 620, told)
        else:
            found[entry.name] = replace(old, **values)
        _check_hours(found[entry.name], entry, reader)
    return tuple(found.values())


@cache
def shipped(name: str) -> tuple[Rule, ...]:
    """A set of rules that comes with the engine."""
    from sop_engine.language.declare import declare

    text = files("sop_engine.language").joinpath("rules", f"{name}.yml").read_text("utf-8")
    report = Report({name: text.split("\n")})
    documents = read_documents({f"{name}.yml": text}, report)
    reader = Reader(declare(documents), report)
    return tuple(Rule(entry.name, **_values(entry, reader)) for entry in documents.lines("rules"))


def _values(entry: Entry, reader: Reader) -> dict[str, Any]:
    values = reader.keys(entry.node, RULE, "a rule")
    node = values.pop("when", None)
    values.pop("note", None)
    when = reader.keys(node, RULE_WHEN, "'when' of a rule") if node is not None else {}
    return {**values, **when, "place": str(entry.key.place)}


def _check_hours(rule: Rule, entry: Entry, reader: Reader) -> None:
    """Hours may be moved, but not beyond what is never allowed."""
    if rule.hours is None or rule.never_outside is None or _inside(rule.hours, rule.never_outside):
        return
    where = entry.node.get("hours") if isinstance(entry.node, Map) else None
    reader.error(where or entry.key, 620, f"the hours of '{entry.name}' reach beyond its 'never_outside'.")


def _inside(inner: Hours, outer: Hours) -> bool:
    return outer.start <= inner.start < inner.end <= outer.end if outer.start < outer.end else True


def check_rules(project: Project, report: Report) -> None:
    """Report texts that break a rule of the project's country (520, 531 to 533), and purposes a channel must not carry (610)."""
    for texts in project.templates.values():
        for template in texts.values():
            channel = project.channels[template.channel]
            _check_template(project, template, channel, report)


def _check_template(project: Project, template: Template, channel: Channel, report: Report) -> None:
    plain = _without_comments(template.body)
    rules = rules_for(project, channel, template.purpose, project.settings.country)
    for rule in rules:
        _check_words(template, plain, rule, report)
        if rule.purposes and template.purpose not in (*rule.purposes, "internal"):
            told = f"'{template.name}' breaks the rule {rule.id}: '{channel.name}' carries {' and '.join(rule.purposes)} messages only."
            report.add(_place(template), 610, told)
    must_offer = template.purpose == "marketing" and (channel.via == "email" or any(r.must_offer for r in rules))
    if must_offer and "link.unsubscribe" not in template.uses:
        told = f"'{template.name}' gives its reader no visible way out. Write {{{{ link.unsubscribe }}}} into the text."
        report.add(_place(template), 533, told)


def _check_words(template: Template, plain: str, rule: Rule, report: Report) -> None:
    told, place = f"'{template.name}' breaks the rule {rule.id}:", _place(template)
    for sentence in broken(Rule("", must_end_with=rule.must_end_with), "", plain):
        report.add(place, 520, f"{told} {sentence}.")
    for sentence in broken(Rule("", must_start_with=rule.must_start_with), "", plain):
        report.add(place, 531, f"{told} {sentence}.")
    for sentence in broken(Rule("", subject_starts_with=rule.subject_starts_with), template.subject, ""):
        report.add(place, 532, f"{told} {sentence}.")


def _without_comments(body: str) -> str:
    while (start := body.find("{#")) >= 0:
        end = body.find("#}", start)
        body = body[:start] + (body[end + 2 :] if end >= 0 else "")
    return body


def _place(template: Template) -> Place:
    file, line, column = template.place.rsplit(":", 2) if template.place.count(":") >= 2 else (*template.place.rsplit(":", 1), "1")
    return Place(file, int(line), int(column))
