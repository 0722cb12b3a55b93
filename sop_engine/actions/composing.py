"""Composes what is sent: the text, its code, its key, and the attempt that is stored before the call."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sop_engine.actions.gather import Item
from sop_engine.actions.giving import Given, Purse
from sop_engine.actions.unsubscribing import Link, address_for
from sop_engine.app import Work
from sop_engine.channels.contract import Message
from sop_engine.channels.frozen import fingerprint, freeze
from sop_engine.core.catalog import Channel
from sop_engine.core.conditions import Facts
from sop_engine.core.consent import ANY, MARKETING
from sop_engine.core.deadlines import deadline
from sop_engine.core.guard import Send, Skip
from sop_engine.core.rules import broken, country_of, rules_for
from sop_engine.core.template import Template
from sop_engine.core.wording import forbidden_words
from sop_engine.rendering import MissingVariable, Rendered, RenderFailed, render
from sop_engine.store.attempts import Attempt

UNSIGNED = "https://unsubscribe.invalid/u/no-public-address-or-signing-key"  # shown in previews; nobody can be reached there


@dataclass(frozen=True, slots=True)
class Act:
    """A touch that is to be carried out: what is sent, what is given, and what is known about the user."""

    item: Item
    send: Send
    given: Given | None
    facts: Facts


@dataclass(frozen=True, slots=True)
class Seen:
    """Under which turns and which switch version a batch is decided, and until when its holder may take."""

    turns: Mapping[int, int]
    switch: int
    lease_until: datetime


def compose(work: Work, act: Act, template: Template, purse: Purse) -> Message | Skip:
    """The message with its code taken; a Skip with the reason when it cannot be written."""
    item, channel = act.item, act.send.channel
    code = purse.code(act.given, item) if act.given else ""
    if code is None:
        return Skip("empty")
    values = {**act.facts, **(act.given.values(code) if act.given else {})}
    links = {**dict(template.links), "unsubscribe": _unsubscribe(work, item, channel)}
    locale = template.locale or item.project.settings.locale
    currency = item.project.settings.currency
    try:
        text = render(template, values, locale=locale, links=links, currency=currency)
    except MissingVariable as missing:
        return Skip("unknown", str(missing))
    except RenderFailed as failed:
        return Skip("render", str(failed))
    if channel is not None and channel.max_length and len(text.text) > channel.max_length:
        return Skip("too_long", f"{len(text.text)} characters, at most {channel.max_length}")
    said = forbidden_words(text.text, item.project.settings.never_say) if template.purpose != "internal" else ()
    if said:
        return Skip("render", f"would say {', '.join(said)}")
    breach = _breach(item, act, template, text) if channel is not None else ""
    if breach:
        return Skip("render", breach)
    return Message(
        key=_key(work, item, channel.name if channel else ""),
        now=work.now,
        purpose=template.purpose,
        to=act.send.address,
        subject=text.subject,
        text=text.text,
        provider_template=template.provider_template,
        attachments=template.attachments,
        not_after=item.touch.late_at,
        due_at=deadline(template, channel, work.now) if channel and channel.via == "staff_task" else None,
        run=str(item.run.id),
        playbook=item.flow.playbook,
        version=str(item.run.version),
        step=item.step.name,
        variant=item.run.variant or "",
        user_id=item.person.id,
        touch_id=item.touch.id,
        user_key=item.person.key,
        benefit_code=code,
        benefit_expires_at=act.given.give.expires_at if act.given else None,
        template=template.name,
        unsubscribe_url=links["unsubscribe"] if template.purpose == "marketing" and links["unsubscribe"] != UNSIGNED else "",
    )


def _breach(item: Item, act: Act, template: Template, text: Rendered) -> str:
    """What rule the written text breaks: fallbacks and values may stand where the text alone was fine."""
    channel, project = act.send.channel, item.project
    if channel is None or not project.rules:
        return ""
    rules = rules_for(project, channel, template.purpose, country_of(project, act.facts))
    return next((f"{rule.id}: {told}" for rule in rules for told in broken(rule, text.subject, text.text)), "")


def _unsubscribe(work: Work, item: Item, channel: Channel | None) -> str:
    link = Link(item.person.id, channel.name if channel else ANY, MARKETING, item.touch.id)
    return address_for(work.app.settings, link) or UNSIGNED


def _key(work: Work, item: Item, channel: str) -> str:
    """The same for every repeat of a call: of the instance, the touch, the channel and how often it was proven not accepted."""
    return key_of(work.app.instance(work.tx), item.touch.id, channel, item.touch.proof)


def key_of(instance: str, touch_id: int, channel: str, proof: int) -> str:
    """The key of a call, from what it is made of."""
    return hashlib.sha256(f"{instance}|{touch_id}|{channel}|{proof}".encode()).hexdigest()[:32]


def attempt_of(work: Work, item: Item, channel: Channel, message: Message, seen: Seen) -> Attempt:
    """The call that is about to be made; with the whole message where the provider knows a key again and cannot be asked."""
    can = work.app.capability(channel)
    repeatable = can.idempotent_for is not None and can.ask == "none"
    touch = item.touch
    return Attempt(
        touch_id=touch.id,
        user_id=touch.user_id,
        epoch=touch.epoch,
        proof=touch.proof,
        channel=channel.name,
        key=message.key,
        body_hash=fingerprint(message),
        turn=seen.turns[touch.user_id],
        switch=seen.switch,
        due_at=touch.first_due_at,
        began_at=work.now,
        message=freeze(message) if repeatable else None,
    )
