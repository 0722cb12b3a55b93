"""Writes the page that leads to all others: playbooks by what starts them, tiers by whether anybody acts on them."""

from collections.abc import Iterator

from sop_engine.core.addressing import levels_addressed
from sop_engine.core.pages.markdown import link, page, plain, section, table
from sop_engine.core.pages.words import page_words
from sop_engine.core.playbook import Playbook
from sop_engine.core.project import Project
from sop_engine.core.tiers import Tier

STARTS = {
    "by_level": ("level",),
    "by_condition": ("enter", "leave"),
    "by_event": ("event",),
    "by_time": ("every", "date"),
}


def index_page(project: Project, *, locale: str = "zh-CN") -> str:
    """The page in Markdown."""
    words = page_words(locale)
    acted = {tier for flow in project.flows.values() for tier, _ in levels_addressed(flow)}
    acted |= {playbook.tier for playbook in project.playbooks.values()}
    parts = [section(words[group], _playbooks(group, project, locale)) for group in STARTS]
    parts.append(section(words["acted_on"], _tiers([t for t in project.tiers.values() if t.name in acted], locale)))
    parts.append(section(words["looked_at"], _tiers([t for t in project.tiers.values() if t.name not in acted], locale)))
    return page(words["title"].format(project.settings.name), parts, words["made"])


def _playbooks(group: str, project: Project, locale: str) -> str:
    words = page_words(locale)
    rows = [list(_row(playbook, project, locale)) for playbook in project.playbooks.values() if _group(playbook, project) == group]
    return table([words[key] for key in ("playbook", "intent", "tier", "step", "note")], rows) if rows else ""


def _group(playbook: Playbook, project: Project) -> str:
    kind = "level" if playbook.tier else next((project.flows[name].start.kind for name in playbook.flows), "level")
    return next(group for group, kinds in STARTS.items() if kind in kinds)


def _row(playbook: Playbook, project: Project, locale: str) -> Iterator[str]:
    flows = [project.flows[name] for name in playbook.flows]
    yield link(playbook.name, f"playbooks/{playbook.name}.md")
    yield "/".join(dict.fromkeys(page_words(locale)[flow.intent] for flow in flows))
    yield link(playbook.tier, f"tiers/{playbook.tier}.md") if playbook.tier else ""
    yield str(sum(len(flow.steps) for flow in flows))
    yield plain(playbook.note or next((flow.note for flow in flows if flow.note), ""))


def _tiers(tiers: list[Tier], locale: str) -> str:
    words = page_words(locale)
    rows = [[link(t.name, f"tiers/{t.name}.md"), plain(" > ".join(t.ladder) or " / ".join(t.level_names)), plain(t.note)] for t in tiers]
    return table([words[key] for key in ("tier", "level", "note")], rows) if rows else ""
