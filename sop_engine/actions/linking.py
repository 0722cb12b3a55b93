"""Writes the links of a message: marked for web statistics, and followed through us where the project and the channel allow it."""

from collections.abc import Callable

from sop_engine.app import Work
from sop_engine.core import tokens
from sop_engine.core.catalog import Channel
from sop_engine.core.links import PURPOSE, SIZE, Linker, LinkRules, utm_of
from sop_engine.core.project import Project
from sop_engine.core.template import Template
from sop_engine.settings import Settings


def linker_for(work: Work, template: Template, channel: Channel | None, touch_id: int, names: tuple[str, str, str]) -> Linker:
    """What writes the links of one message; `names`: playbook, step, variant. Links in texts to colleagues stay as they are."""
    rules = work.project.settings.links
    if channel is None or template.purpose == "internal":
        return Linker(LinkRules(), utm_of("", "", "", ""))
    address_of = _addresses(work, touch_id) if _personal(channel) and rules.tracked and work.app.rehearsal is None else None
    return Linker(rules, utm_of(channel.via, *names), address_of)


def linker_to_show(project: Project, template: Template) -> Linker:
    """The same for a text that is only looked at: addresses as they will be in stories, whatever this machine is set to."""
    channel = project.channels[template.channel]
    if template.purpose == "internal":
        return Linker(LinkRules(), utm_of("", "", "", ""))
    return Linker(project.settings.links, utm_of(channel.via, "…", "…", ""))


def lacking(rules: LinkRules, settings: Settings) -> str:
    """What keeps links from being tracked although the project wants it; empty when nothing does."""
    if not rules.tracked:
        return ""
    lacks = [name for name, value in (("SOP_PUBLIC_URL", settings.public_url), ("SOP_SIGNING_KEY", settings.signing_keys)) if not value]
    return f"links are not tracked and stay what they are: set {' and '.join(lacks)}" if lacks else ""


def _personal(channel: Channel) -> bool:
    from sop_engine.channels.registry import CAPABILITIES

    known = CAPABILITIES.get(channel.via)
    return known is not None and known.links == "personal"


def _addresses(work: Work, touch_id: int) -> Callable[[int], str] | None:
    settings = work.app.settings
    keys = settings.signing_keys
    if not keys or not settings.public_url:
        return None
    kid, base = next(iter(keys)), settings.public_url.rstrip("/")
    return lambda n: f"{base}/c/{tokens.sign(keys, kid, PURPOSE, f'{touch_id}.{n}', SIZE)}"
