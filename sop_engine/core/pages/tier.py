"""Writes the page of a tier: its rules in order, its ladder, who acts on which level, what is left open, who reads it."""

import re
from collections.abc import Iterator

from sop_engine.core.addressing import levels_addressed
from sop_engine.core.conditions import Condition, Node, refs_of
from sop_engine.core.explain import text_of
from sop_engine.core.matrix import Row, matrix_of
from sop_engine.core.pages.markdown import bullets, code, link, page, plain, section, table
from sop_engine.core.pages.words import page_words
from sop_engine.core.playbook import Flow
from sop_engine.core.project import Project
from sop_engine.core.say_words import words_of
from sop_engine.core.tiers import Tier


def tier_page(tier: Tier, project: Project, *, locale: str = "zh-CN") -> str:
    """The page in Markdown; it says nothing of how many users there are, so that it changes only with the definitions."""
    words = page_words(locale)
    rows = [row for row in matrix_of(tier, project, None, locale=locale).rows if row.playbook]
    addressed = list(_addressed(tier, project))
    parts = [
        plain(tier.note),
        section(words["rules"], words["first_rule"], _rules(tier, locale), bullets(_bounds(tier, locale))),
        section(words["who_acts"], _acting(rows, locale), *_also(addressed, locale)),
        section(words["gaps"], bullets(_gaps(tier, rows, addressed, locale)) or words["no_gaps"]),
        section(words["read_by"], bullets(_readers(tier, project, locale)) or words["read_nowhere"]),
    ]
    return page(tier.name, parts, words["made"])


def _rules(tier: Tier, locale: str) -> str:
    words = page_words(locale)
    rows = []
    for number, level in enumerate(tier.levels, 1):
        rule = text_of(level.rule)
        written = code("otherwise" if rule == "everyone" else rule)
        rows.append([str(number), plain(level.name), written, code(text_of(level.keep)) if level.keep else "", words.get(level.mark, "")])
    return table([words[key] for key in ("asked", "level", "rule", "keep", "mark")], rows)


def _bounds(tier: Tier, locale: str) -> Iterator[str]:
    words = page_words(locale)
    yield plain(words["ladder"].format(" > ".join(tier.ladder)) if tier.ladder else words["no_ladder"])
    if tier.only is not None:
        yield words["only"].format(code(text_of(tier.only)))
    if tier.min_stay:
        yield words["min_stay"].format(tier.min_stay)
    if tier.min_window:
        yield words["min_window"].format(tier.min_window)


def _acting(rows: list[Row], locale: str) -> str:
    """A row for each level and playbook that is mapped on the tier."""
    words = page_words(locale)
    shown = []
    for row in rows:
        cells = "<br>".join(f"{plain(when)}{words_of(locale)['colon']}{plain(does)}" for when, does in row.cells.items())
        done = cells or plain(words["none"].format(row.nothing))
        shown.append([plain(row.level or words["unscored"]), link(row.playbook, f"../playbooks/{row.playbook}.md"), done])
    return table([words[key] for key in ("level", "playbook", "step")], shown) if shown else ""


def _addressed(tier: Tier, project: Project) -> Iterator[tuple[str, Flow]]:
    """The levels that flows ask for which are not mapped on the tier."""
    for flow in project.flows.values():
        for name, level in dict.fromkeys(levels_addressed(flow)):
            if name == tier.name and not (flow.start.kind == "level" and flow.start.tier == name):
                yield level, flow


def _also(addressed: list[tuple[str, Flow]], locale: str) -> Iterator[str]:
    if addressed:
        lines = [f"{plain(level)}: {link(flow.id, f'../playbooks/{flow.playbook}.md')}" for level, flow in addressed]
        yield f"{page_words(locale)['also_starts']}\n\n{bullets(lines)}"


def _gaps(tier: Tier, rows: list[Row], addressed: list[tuple[str, Flow]], locale: str) -> Iterator[str]:
    """Levels in which nothing starts, with the reason that playbooks give."""
    words = page_words(locale)
    acted = {row.level for row in rows if row.cells} | {level for level, _ in addressed}
    if not rows and not acted:
        yield words["all_gaps"]
        return
    for level in (level for level in tier.level_names if level not in acted):
        reasons = dict.fromkeys(row.nothing for row in rows if row.level == level and row.nothing)
        yield plain(words["gap"].format(level, words_of(locale)["semicolon"].join(reasons) or words["nobody"]))


def _readers(tier: Tier, project: Project, locale: str) -> Iterator[str]:
    """Everything else that reads the tier, by kind."""
    words = page_words(locale)
    tiers = [one.name for one in project.tiers.values() if one is not tier and any(_reads(rule, tier) for rule in _rules_of(one))]
    flows = [flow for flow in project.flows.values() if _read_in(flow, tier)]
    metrics = [m.name for m in project.metrics.values() if any(_reads(rule, tier) for rule in (m.formula, m.only))]
    books = dict.fromkeys(flow.playbook for flow in flows)
    lists = {
        "tiers": [link(name, f"{name}.md") for name in tiers],
        "playbooks": [link(name, f"../playbooks/{name}.md") for name in books],
        "metrics": [plain(name) for name in metrics],
        "tags": [plain(tag.name) for tag in project.tags.values() if _reads(tag.when, tier)],
        "alerts": [plain(one.name) for one in project.alerts.values() if _named(one.of, tier)],
        "reports": [plain(one.name) for one in project.reports.values() if _named(one.of, tier)],
    }
    for kind, names in lists.items():
        if names:
            yield f"{words[kind]}{words_of(locale)['colon']}{words_of(locale)['list'].join(names)}"


def _rules_of(tier: Tier) -> Iterator[Condition | None]:
    yield tier.only
    for level in tier.levels:
        yield from (level.rule, level.keep)


def _read_in(flow: Flow, tier: Tier) -> bool:
    """Whether a flow reads the tier in a condition or a choice; the flows of its own levels read it anyway."""
    conditions = [flow.start.condition, flow.only, *(c for _, c in flow.exits), *(step.when for step in flow.steps)]
    conditions += [goal.enter for goal in (flow.goal, *flow.counts) if goal]
    chosen = {choice.by for step in flow.steps for choice in (step.send, step.give) if choice}
    return tier.name in chosen or any(_reads(condition, tier) for condition in conditions)


def _reads(condition: Node | None, tier: Tier) -> bool:
    return any(ref.space.startswith("tier") and ref.name == tier.name for ref in refs_of(condition))


def _named(of: str, tier: Tier) -> bool:
    return tier.name in re.findall(r"\w+", of)
