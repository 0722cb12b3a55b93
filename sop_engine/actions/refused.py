"""Notes what a provider's refusal says about a person: the channel is over for them, or one colleague, or one permission."""

from sop_engine.actions.routing import appid_of, corp_of
from sop_engine.actions.suppressing import unreachable
from sop_engine.app import Work
from sop_engine.core.run import Touch
from sop_engine.core.wecom import WecomPair
from sop_engine.store import permissions, relations, touches

COUNTED = ("oa_subscribe", "mp_subscribe")
"""Channels whose messages each use up a permission."""


def note_refusal(work: Work, touch: Touch, reason: str) -> None:
    """After `user_unreachable`: a pair that is no more, a permission that is used up, else the address or the person."""
    said = touches.said_of(work.tx, [touch.id])[touch.id]
    channel = touches.channel_of(work.tx, touch.id)
    if reason == "no_relation" and "@" in said.address:
        relations.end(work.tx, corp_of(work, channel), WecomPair.read(said.address), "unfit", work.now)
    elif reason == "no_credit":
        permissions.put(work.tx, appid_of(work, channel), said.address, provider_template_of(work, touch.id), 0)
    else:
        unreachable(work, work.project, touch.user_id, channel, reason)


def provider_template_of(work: Work, touch_id: int) -> str:
    """The provider's name of the text the touch was last written with; empty when the text is gone."""
    name = touches.template_of(work.tx, touch_id)
    texts = work.project.templates.get(name, {})
    return next((text.provider_template for text in texts.values()), "")


def use_permission(work: Work, touch_id: int) -> None:
    """A message was taken that uses up a permission."""
    if work.app.settings.sending != "live" or not any(c.via in COUNTED for c in work.project.channels.values()):
        return  # hot: nothing is asked for each message where no channel counts permissions
    channel = touches.channel_of(work.tx, touch_id)
    declared = work.project.channels.get(channel)
    if declared is not None and declared.via in COUNTED:
        to = touches.said_of(work.tx, [touch_id])[touch_id].address
        permissions.add(work.tx, appid_of(work, channel), to, provider_template_of(work, touch_id), -1)
