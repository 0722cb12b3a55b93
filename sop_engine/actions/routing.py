"""Finds the way to a customer where an address alone does not say it: the colleague, the welcome code, the permission."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sop_engine.actions.gather import Item
from sop_engine.app import Work
from sop_engine.channels.contract import Message
from sop_engine.core.catalog import Channel
from sop_engine.core.conditions import Facts
from sop_engine.core.guard import Skip
from sop_engine.core.template import Template
from sop_engine.core.wecom import CAP_RULES, MOST_TASKS, WecomPair, cap_window, choose_staff
from sop_engine.store import permissions, relations, staff_messages

Route = str | Skip
"""The address a message goes to instead of the attribute's, or why it cannot go at all."""

Loads = dict[tuple[str, str], set[Any]]
"""By corporation and colleague: the tasks of today, those of this batch included; by corporation and `customer@`: their messages."""


@dataclass(frozen=True, slots=True)
class Way:
    """What is known when a way is looked for."""

    work: Work
    item: Item
    channel: Channel
    template: Template
    address: str


def corp_of(work: Work, channel: str) -> str:
    """Whose relations a channel uses: those of its corporation, whichever channel they were reported by."""
    return str(getattr(work.app.settings.accounts.get(channel), "corp_id", "") or channel)


def appid_of(work: Work, channel: str) -> str:
    """The account whose permissions a channel uses up."""
    return str(getattr(work.app.settings.accounts.get(channel), "appid", "") or channel)


def account_word(work: Work, channel: str, name: str, otherwise: Any) -> Any:
    """A word of the channel's account."""
    return getattr(work.app.settings.accounts.get(channel), name, otherwise)


def routes(work: Work, item: Item, facts: Facts) -> Mapping[str, Route]:
    """By template of the step, where its channel needs more than an address. Nothing is looked for where nothing leaves the machine."""
    if work.app.settings.sending != "live" or work.app.rehearsal is not None or item.step.send is None:
        return {}
    found: dict[str, Route] = {}
    for name in item.step.send.names():
        template = item.project.template(name, item.person.locale)
        channel = item.project.channels[template.channel]
        find = _WAYS.get(channel.via)
        if find is not None:
            address = facts.get(channel.to) if channel.to else None
            found[name] = find(Way(work, item, channel, template, "" if address is None else str(address)))
    return found


def within_load(work: Work, loads: Loads, item: Item, channel: Channel | None, message: Message) -> Message | Skip:
    """The message, unless its colleague has as many tasks to confirm today as one can bear: each different text is one."""
    if channel is None or channel.via != "wecom_customer" or work.app.settings.sending != "live":
        return message
    staff, corp = WecomPair.read(message.to).staff, corp_of(work, channel.name)
    said = (item.flow.id, item.run.version, item.step.name, message.text, message.subject)
    tasks = loads.setdefault((corp, staff), set(staff_messages.calls_today(work.tx, corp, staff, work.day)))
    if said not in tasks and len(tasks) >= MOST_TASKS:
        return Skip("staff_load", f"{MOST_TASKS} tasks today")
    customer = WecomPair.read(message.to).customer
    others = loads.setdefault((corp, f"{customer}@"), set())  # of the same customer, in this batch: no answer counts them yet
    if others and len(others) >= _room(work, channel, corp, customer):
        return Skip("capped")
    others.add(item.touch.id)
    tasks.add(said)
    return message


def _by_staff(way: Way) -> Route:
    work, corp = way.work, corp_of(way.work, way.channel.name)
    ended = staff_messages.ends_of(work.tx, way.item.touch.id, way.channel.name) & {"unconfirmed", "capped"}
    if ended:
        return Skip(min(ended))
    policy = account_word(work, way.channel.name, "sender", "owner")
    staff = choose_staff(relations.of_customer(work.tx, corp, way.address), policy) if way.address else None
    if staff is None:
        return Skip("no_relation")
    if _room(work, way.channel, corp, way.address) <= 0:
        return Skip("capped")
    return str(WecomPair(way.address, staff))


def _room(work: Work, channel: Channel, corp: str, customer: str) -> int:
    """How many messages the customer may get still; none once the provider has said so, whatever we counted."""
    first, _, most = cap_window(CAP_RULES[account_word(work, channel.name, "cap", "month_days")], date.fromordinal(work.day))
    if staff_messages.full_until(work.tx, corp, customer) > work.day:
        return 0
    return most - staff_messages.count_for(work.tx, corp, customer, first.toordinal())


def _by_welcome_code(way: Way) -> Route:
    expires = way.work.app.capability(way.channel).expires
    if expires is not None and way.work.now - way.item.run.started_at > expires:
        return Skip("expired", f"more than {int(expires.total_seconds())} s after the customer came")
    code = way.item.run.held.get("event.welcome_code")
    return code if isinstance(code, str) and code else Skip("no_channel", "the event has no welcome code")


def _by_permission(way: Way) -> Route:
    remaining = permissions.left(way.work.tx, appid_of(way.work, way.channel.name), way.address, way.template.provider_template)
    return way.address if remaining > 0 else Skip("no_credit")


_WAYS: Mapping[str, Callable[[Way], Route]] = {
    "wecom_customer": _by_staff,
    "wecom_welcome": _by_welcome_code,
    "oa_subscribe": _by_permission,
    "mp_subscribe": _by_permission,
}
