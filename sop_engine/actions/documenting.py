"""Writes the pages of a project: one for each playbook, with its timeline, and for each tier, and one that leads to them."""

from datetime import date

from sop_engine.actions.previewing import preview_made_up
from sop_engine.core.pages.drawing import draw
from sop_engine.core.pages.index import index_page
from sop_engine.core.pages.playbook import playbook_page, templates_sent
from sop_engine.core.pages.tier import tier_page
from sop_engine.core.pages.timeline import timeline_of
from sop_engine.core.project import Project

TODAY = date(2025, 6, 10)  # of the made-up dates in texts: pages change with the definitions alone


def pages_of(project: Project, *, locale: str) -> dict[str, str]:
    """The files by path below the folder of the pages: `README.md`, `playbooks/NAME.md` and `.svg`, `tiers/NAME.md`."""
    pages = {"README.md": index_page(project, locale=locale)}
    for name, playbook in project.playbooks.items():
        sent = templates_sent(playbook, project)
        texts = {template: preview_made_up(project, template, TODAY, gives) for template, gives in sent.items()}
        pages[f"playbooks/{name}.md"] = playbook_page(playbook, project, texts, locale=locale)
        pages[f"playbooks/{name}.svg"] = draw(timeline_of(playbook, project, locale=locale), locale=locale)
    for name, tier in project.tiers.items():
        pages[f"tiers/{name}.md"] = tier_page(tier, project, locale=locale)
    return pages
