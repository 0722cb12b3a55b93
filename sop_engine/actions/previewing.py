"""Writes a template as a user would get it, or with made-up values, and says how long it is and what was unknown."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from sop_engine.actions.linking import linker_to_show
from sop_engine.app import Work
from sop_engine.core.catalog import Benefit
from sop_engine.core.conditions import Value
from sop_engine.core.preview import Preview
from sop_engine.core.project import Project
from sop_engine.core.sms import SMS, sms_parts
from sop_engine.core.template import Template
from sop_engine.rendering import MissingVariable, RenderFailed, render
from sop_engine.store import facts as store_facts
from sop_engine.store import people
from sop_engine.store.scope import Scope

OUTSIDE = ("event", "start", "benefit", "link", "step", "alert", "report")


def preview_made_up(project: Project, name: str, today: date, gives: str = "") -> list[Preview]:
    """Each language of the template with made-up values for whatever is required; `gives` is a benefit whose worth is written."""
    known = _of_benefit(project.benefits[gives]) if gives else {}
    return [_written(project, t, {**_made_up(project, t, today), **known}) for t in project.templates[name].values()]


def _of_benefit(benefit: Benefit) -> dict[str, Value | None]:
    return {"benefit.name": benefit.name, "benefit.worth": benefit.worth or None, "benefit.min_spend": benefit.min_spend}


def preview_for(work: Work, project: Project, name: str, key: str) -> list[Preview]:
    """The template as this user would get it now, benefit, event and links made up. Raises NotFound for an unknown user."""
    user_id = people.get_id(work.tx, key)
    person = people.people(work.tx, [user_id])[user_id]
    template = project.template(name, person.locale)
    known = {*work.project.attributes, *work.project.metrics, *work.project.tags, *work.project.tiers, "id", "joined", "timezone", "locale"}
    names = [n for n, _ in template.variables if n.split(".")[0] in known]
    facts = store_facts.read_facts(work.tx, work.project, names, Scope.of([user_id]), work.now).get(user_id, {})
    outside = {n: v for n, v in _made_up(project, template, date.fromordinal(work.day)).items() if n.split(".")[0] in OUTSIDE}
    return [_written(project, template, {**outside, **facts})]


def _written(project: Project, template: Template, values: Mapping[str, Value | None]) -> Preview:
    channel = project.channels[template.channel]
    locale = template.locale or project.settings.locale
    linker = linker_to_show(project, template)
    links = {**linker.named(template.links), "unsubscribe": "https://…/u/1"}
    subject = text = missing = ""
    fallbacks: tuple[tuple[str, str], ...] = ()
    try:
        done = render(template, values, locale=locale, links=links, currency=project.settings.currency)
        subject, text = done.subject, linker.text(done.text, template.body)
        stands = dict(template.variables)
        fallbacks = tuple((name, stands.get(name) or "") for name in done.fallbacks)
    except (MissingVariable, RenderFailed) as error:
        missing = str(error)
    parts = sms_parts(text) if channel.via in SMS else None
    limit = channel.max_length
    return Preview(template.name, locale, channel.name, template.purpose, subject, text, len(text), parts, limit, fallbacks, missing)


def _made_up(project: Project, template: Template, today: date) -> dict[str, Value | None]:
    """A value for each name that is required; the others are left to their fallbacks."""
    return {name: _example(project, name, today) for name in {*template.required, *(u for u in template.uses if u.startswith("benefit."))}}


def _example(project: Project, name: str, today: date) -> Value | None:
    first, _, rest = name.partition(".")
    if first == "benefit":
        known: Mapping[str, Value] = {
            "worth": Decimal(20),
            "min_spend": Decimal(100),
            "expires": today + timedelta(days=7),
            "code": "CODE-1",
        }
        return known.get(rest, "权益" if project.settings.locale.startswith("zh") else "benefit")
    kind = _kind(project, first, rest)
    made_up: Mapping[str, Value] = {"number": Decimal(3), "date": today, "flag": True}
    return made_up.get(kind, f"〔{rest or name}〕")


def _kind(project: Project, first: str, rest: str) -> str:
    if first == "event":
        return next((e.fields[rest].type for e in project.events.values() if rest in e.fields), "text")
    name = rest if first == "start" else first
    if name in project.metrics:
        return project.metrics[name].kind
    if name in project.attributes:
        return project.attributes[name].type
    return "flag" if name in project.tags else "date" if name == "joined" else "text"
