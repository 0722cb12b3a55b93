"""Checks that need the whole project: dimensions of models, welcomes for new levels, purposes a channel can carry."""

from collections.abc import Iterable, Iterator

from sop_engine.core.conditions import And, Compare, Condition, Constant, Ref, refs_of
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.language.dimensions import dimensions_of, dimensions_read
from sop_engine.language.documents import Documents
from sop_engine.language.report import Place, Report
from sop_engine.language.source import Map, Node

MOST_DIMENSIONS = 9
_CARRIES = {"oa_template": ("service",), "wecom_welcome": ("service",), "staff_task": ("internal",)}


def check_dimensions(project: Project, documents: Documents, report: Report) -> None:
    """Report models of 10 and more dimensions (613), and rules that read what the profile leaves out (612)."""
    for entry in documents.lines("tier"):
        tier = project.tiers.get(entry.name)
        count = len(dimensions_of(tier, project)) if tier else 0
        if count > MOST_DIMENSIONS:
            sentence = f"'{entry.name}' reads {count} dimensions; nobody can remember a model of more than {MOST_DIMENSIONS}. Use fewer."
            report.add(entry.key.place, 613, sentence)
    if project.settings.profile in dict(project.settings.profiles):
        for name, rule, node in _rules(project, documents):
            _check_profile(name, rule, node, project, report)


def _rules(project: Project, documents: Documents) -> Iterator[tuple[str, Condition | None, Node]]:
    """Every rule of a tier or tag with the name it is written under."""
    for entry in documents.lines("tier"):
        if entry.name in project.tiers and isinstance(entry.node, Map):
            yield from _tier_rules(project, entry.name, entry.node)
    for entry in documents.lines("tags"):
        when = entry.node.get("when") if isinstance(entry.node, Map) else None
        if when is not None and entry.name in project.tags:
            yield entry.name, project.tags[entry.name].when, when


def _tier_rules(project: Project, name: str, node: Map) -> Iterator[tuple[str, Condition | None, Node]]:
    tier = project.tiers[name]
    levels, keep, only = node.get("levels"), node.get("keep"), node.get("only")
    if only is not None:
        yield "only", tier.only, only
    for level in tier.levels:
        for rule, where in ((level.rule, levels), (level.keep, keep)):
            value = where.get(level.name) if isinstance(where, Map) else None
            if value is not None:
                yield level.name, rule, value


def _check_profile(name: str, rule: Condition | None, node: Node, project: Project, report: Report) -> None:
    profile = project.settings.profile
    allowed = dict(project.settings.profiles)[profile]
    within = dimensions_read([Ref("fact", name, "") for name in allowed], project)
    for ref in dict.fromkeys(refs_of(rule)):
        if set(dimensions_read([ref], project)) - set(within):
            sentence = f"'{name}' reads '{ref.name}', which is not in the profile '{profile}'. It has: {', '.join(allowed)}."
            report.add(node.place, 612, sentence)


def check_welcomes(project: Project, documents: Documents, report: Report) -> None:
    """Report levels marked new that no flow greets on day 0 (604)."""
    for name, tier in project.tiers.items():
        for level in tier.levels:
            if level.mark == "new" and not any(_welcomes(flow, name, level.name) for flow in project.flows.values()):
                node = documents.of("tier")[name].node
                mark = node.get("mark") if isinstance(node, Map) else None
                value = mark.get(level.name) if isinstance(mark, Map) else None
                sentence = f"'{level.name}' is marked new, but no flow welcomes it on day 0. Write a step with 'at: now' for this level."
                report.add((value or node).place, 604, sentence)


def _welcomes(flow: Flow, tier: str, level: str) -> bool:
    start = flow.start
    by_level = start.kind == "level" and (start.tier, start.level) == (tier, level)
    by_rule = start.kind == "enter" and _is_level(start.condition, tier, level)
    if not (by_level or by_rule):
        return False
    return any(s.source is None and (s.after or (s.at and (s.at.kind == "now" or (s.at.kind, s.at.day) == ("day", 0)))) for s in flow.steps)


def _is_level(condition: Condition | None, tier: str, level: str) -> bool:
    match condition:
        case Compare("=", Ref("tier", name), Constant(value)):
            return (name, value) == (tier, level)
        case And(parts):
            return any(_is_level(part, tier, level) for part in parts)
    return False


def check_purposes(project: Project, report: Report) -> None:
    """Report texts whose purpose their channel cannot carry (610)."""
    for texts in project.templates.values():
        for template in texts.values():
            channel = project.channels[template.channel]
            carries = _CARRIES.get(channel.via)
            if carries and template.purpose not in carries:
                file, _, line = template.place.rpartition(":")
                row = _line_of("purpose:", report.lines.get(file, ()), int(line or 1))
                sentence = f"'{channel.name}' ({channel.via}) carries no {template.purpose} messages, only {' and '.join(carries)}."
                report.add(Place(file, row, 1, 7), 610, sentence)


def _line_of(key: str, lines: Iterable[str], default: int) -> int:
    return next((i for i, line in enumerate(lines, 1) if line.startswith(key)), default)
