"""Composes what is sent: the text, its code, its key, and the attempt that is stored before the call."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sop_engine.actions.gather import Item
from sop_engine.actions.giving import Given, Purse
from sop_engine.actions.linking import linker_for
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
from sop_engine.core.sms import SMS, unfit_value
from sop_engine.core.template import Template
from sop_engine.core.wechat_fields import VIAS, field_problem
from sop_engine.core.wecom import MOST_BYTES
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
    names = (item.flow.playbook, item.step.name, item.run.variant or "")
    linker, unsubscribe = linker_for(work, template, channel, item.touch.id, names), _unsubscribe(work, item, channel)
    text = _written(act, template, code, {**linker.named(template.links), "unsubscribe": unsubscribe})
    if isinstance(text, Skip):
        return text
    text = replace(text, text=linker.text(text.text, template.body))
    refusal = _refusal(act, template, text)
    if refusal is not None:
        return refusal
    used = linker.used_in(f"{text.subject} {text.text}")
    work.links += [{"touch_id": item.touch.id, "n": n, "name": name, "url": url, "at": work.now} for n, (name, url) in used.items()]
    return Message(
        key=_key(work, item, channel.name if channel else ""),
        now=work.now,
        purpose=template.purpose,
        to=act.send.address,
        subject=text.subject,
        text=text.text,
        vars=text.vars,
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
        unsubscribe_url=unsubscribe if template.purpose == "marketing" and unsubscribe != UNSIGNED else "",
    )


def _written(act: Act, template: Template, code: str, links: Mapping[str, str]) -> Rendered | Skip:
    """The text with all its values; a Skip when one is unknown, or it cannot be rendered."""
    values = {**act.facts, **(act.given.values(code) if act.given else {})}
    if act.send.channel is not None and act.send.channel.via in SMS:  # a name with an emoji is unknown here: the fallback stands for it
        named = ((name, values.get(name)) for name, _ in template.variables)
        values.update({name: None for name, value in named if isinstance(value, str) and unfit_value(value)})
    settings = act.item.project.settings
    try:
        return render(template, values, locale=template.locale or settings.locale, links=links, currency=settings.currency)
    except MissingVariable as missing:
        return Skip("unknown", str(missing))
    except RenderFailed as failed:
        return Skip("render", str(failed))


def _refusal(act: Act, template: Template, text: Rendered) -> Skip | None:
    """Why the written text must not go: too long, a word that is never said, or a rule that it breaks."""
    channel = act.send.channel
    if unfit := unfit_for(channel, text.text, text.vars):
        return Skip("too_long", unfit)
    if channel is not None and channel.max_length and len(text.text) > channel.max_length:
        return Skip("too_long", f"{len(text.text)} characters, at most {channel.max_length}")
    said = forbidden_words(text.text, act.item.project.settings.never_say) if template.purpose != "internal" else ()
    if said:
        return Skip("render", f"would say {', '.join(said)}")
    breach = _breach(act, template, text)
    return Skip("render", breach) if breach else None


def unfit_for(channel: Channel | None, text: str, written: Sequence[tuple[str, str]]) -> str:
    """Why the channel's provider takes no such text, or no such value in one of its fields; empty when it takes all."""
    if channel is not None and channel.via in ("wecom_customer", "wecom_welcome"):
        size = len(text.encode("utf-8", "replace"))
        return f"{size} bytes, at most {MOST_BYTES}" if size > MOST_BYTES else ""
    if channel is None or channel.via not in VIAS:
        return ""
    return next((problem for name, value in written if (problem := field_problem(name, value))), "")


def _breach(act: Act, template: Template, text: Rendered) -> str:
    """What rule the written text breaks: fallbacks and values may stand where the text alone was fine."""
    channel, project = act.send.channel, act.item.project
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
