"""Loads what the last look reads about a batch of touches, in a handful of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.end import steps_seen
from sop_engine.actions.fresh import expired_models
from sop_engine.actions.halting import halted
from sop_engine.actions.suppressing import Address, Listed, address_of, suppressed_of
from sop_engine.app import Work
from sop_engine.core.circuit import Circuit
from sop_engine.core.conditions import Facts, Ref
from sop_engine.core.guard import Sent
from sop_engine.core.interest import QUIET, known_names, user_names
from sop_engine.core.playbook import Flow, Step
from sop_engine.core.project import Project
from sop_engine.core.run import Run, Touch
from sop_engine.store import circuits, consent, grants, runs, touches
from sop_engine.store import facts as store_facts
from sop_engine.store.people import Person, people
from sop_engine.store.scope import Scope

OUTSIDE = ("event.", "start.", "benefit.", "link.", "step.")


@dataclass(frozen=True, slots=True)
class Item:
    """One touch with its run, its flow and step as pinned, and the project with the texts of that version."""

    touch: Touch
    run: Run
    flow: Flow
    step: Step
    project: Project
    person: Person


@dataclass
class Gathered:
    """A batch and everything known about its users."""

    items: list[Item] = field(default_factory=list)
    gone: list[Touch] = field(default_factory=list)  # their step or version is no more
    facts: Mapping[int, Facts] = field(default_factory=dict)
    steps: Mapping[int, Facts] = field(default_factory=dict)  # by run
    sent: dict[int, list[Sent]] = field(default_factory=dict)
    planned: dict[int, list[Touch]] = field(default_factory=dict)  # other planned touches of the user
    opted_out: Mapping[int, frozenset[str]] = field(default_factory=dict)
    agreed: Mapping[int, frozenset[str]] = field(default_factory=dict)
    suppressed: Listed = field(default_factory=dict)
    handed_off: frozenset[int] = frozenset()
    stopped: frozenset[str] = frozenset()
    circuits: dict[str, Circuit] = field(default_factory=dict)  # by account, those that were ever disturbed
    expired: frozenset[str] = frozenset()  # models that read a fit which is no longer valid
    given: dict[int, dict[str, list[Any]]] = field(default_factory=dict)  # grants by user and benefit


def gather(work: Work, batch: Sequence[Touch]) -> Gathered:
    """Everything about these touches, fresh from the database."""
    found = Gathered()
    by_id = runs.get_runs(work.tx, {t.run_id for t in batch})
    users = {t.user_id for t in batch}
    known = people(work.tx, users)
    for touch in batch:
        item = _item(work, touch, by_id[touch.run_id], known[touch.user_id])
        if item is None:
            found.gone.append(touch)
        else:
            found.items.append(item)
    scope = Scope.of(users)
    found.facts = store_facts.read_facts(work.tx, work.project, _names(work.project, found.items), scope, work.now)
    found.steps = steps_seen(work, {i.run.id for i in found.items if any(r.space == "step" for r in _refs(i.step))})
    since = work.day - _longest_cap(work.project)
    found.sent = touches.counted_of(work.tx, users, since)
    found.planned = touches.planned_of(work.tx, users, work.now + timedelta(days=1))
    ids = list(users)
    stands = consent.standing_of(work.tx, ids)
    found.opted_out = {user: one.refused for user, one in stands.items()}
    found.agreed = {user: one.granted for user, one in stands.items()}
    found.suppressed = suppressed_of(work, _addresses(found))
    found.handed_off = consent.users_handed_off(work.tx, ids)
    found.stopped = halted(work)
    found.circuits = circuits.read(work.tx)
    found.expired = expired_models(work)
    if any(i.step.give for i in found.items):
        grants.lock(work.tx)
        found.given = grants.given(work.tx, ids)
    return found


def _addresses(found: Gathered) -> list[Address]:
    """Every address one of these messages might go to."""
    listed: list[Address] = []
    for item in found.items:
        facts = found.facts.get(item.touch.user_id, {})
        for name in item.step.send.names() if item.step.send else ():
            channel = item.project.channels[item.project.template(name, item.person.locale).channel]
            value = facts.get(channel.to) if channel.to else None
            if value:
                listed.append(address_of(item.project, channel, str(value)))
    return listed


def _item(work: Work, touch: Touch, run: Run, person: Person) -> Item | None:
    pinned = work.app.pinned(work, run.flow, run.version)
    step = pinned[0].step(touch.step) if pinned else None
    if pinned is None or step is None:
        return None
    return Item(touch, run, pinned[0], step, pinned[1], person)


def _refs(step: Step) -> list[Ref]:
    from sop_engine.core.conditions import refs_of

    return [*refs_of(step.when), *((step.by,) if step.by else ())]


def _longest_cap(project: Project) -> int:
    """The most days any cap looks back, and one more, for the user's date may be another than the project's."""
    of_channels = (limit for channel in project.channels.values() for limit in channel.caps)
    limits = [*project.settings.caps, *of_channels, *(limit for rule in project.rules for limit in rule.caps)]
    return max((limit.per.days or (limit.per.exact or timedelta()).days + 1 for limit in limits), default=0) + 1


def _names(project: Project, items: Sequence[Item]) -> frozenset[str]:
    """Facts of the user these steps, their texts and their channels read."""
    settings = project.settings
    names = set(user_names([settings.only, settings.minor])) | {QUIET}
    if project.rules:  # they go by the country of the phone number
        names |= {name for name, attribute in project.attributes.items() if attribute.type == "phone"}
    if settings.primary_tier:
        names.add(settings.primary_tier)
    steps = {(i.flow.id, i.run.version, i.step.name): i for i in items}
    for item in steps.values():
        names |= _names_of_step(item)
    return known_names(project, names)


def _names_of_step(item: Item) -> set[str]:
    step, project = item.step, item.project
    names = set(user_names([step.when]))
    if step.by is not None:
        names.add(step.by.key)
    names |= {s.every.attribute for s in item.flow.steps if s.every and s.every.attribute}
    for name in step.send.names() if step.send else ():
        for template in project.templates[name].values():
            names |= {n for n, _ in template.variables if not n.startswith(OUTSIDE)}
        channel = project.channels[project.template(name, None).channel]
        names |= user_names([channel.needs]) | ({channel.to} if channel.to else set())
    return names


def local_day_end(work: Work, person: Person) -> datetime:
    """The midnight that ends the user's local day."""
    from sop_engine.core.calendar import local_day, midnight

    zone = work.zone_of(person.timezone)
    return midnight(local_day(work.now, zone) + timedelta(days=1), zone)
