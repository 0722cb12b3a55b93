"""Carries out what people say on the page behind the link in a message: no more of it, some of it, or after all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from sop_engine.actions.end import end_refused
from sop_engine.app import App, Work
from sop_engine.core import tokens
from sop_engine.core.consent import ANY, GRANTED, MARKETING, WITHDRAWN, Standing, refused
from sop_engine.settings import Settings
from sop_engine.store import consent, identities
from sop_engine.store.consent import Line
from sop_engine.store.people import people

PURPOSE, UNDO, SIGNATURE = "unsub", "undo", 16  # bytes kept of a signature
UNDO_FOR = timedelta(minutes=10)
Kind = Literal["withdraw", "undo", "choose"]


@dataclass(frozen=True, slots=True)
class Link:
    """What a link in a message is about: the reader, the channel and topic it came by, and the touch."""

    user_id: int
    channel: str
    topic: str
    touch_id: int

    @property
    def payload(self) -> str:
        """The link as it is signed."""
        return f"{self.user_id}.{self.channel}.{self.topic}.{self.touch_id}"


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said on the page, at a moment. `words`: of a choice, the channels and topics that may go on."""

    link: Link
    kind: Kind
    at: datetime
    source: str = "page"
    wording: str = ""
    offered: Sequence[str] = ()
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows: who writes, and whether each channel and topic may go on. `known`: whether the reader is (still) a user."""

    sender: str = ""
    locale: str = ""
    channels: Mapping[str, bool] = field(default_factory=dict)
    topics: Mapping[str, bool] = field(default_factory=dict)
    known: bool = False
    stopped: bool = False  # nothing comes over this link's channel any more


def address_for(settings: Settings, link: Link) -> str:
    """The https address of the page for one message; empty while there is no public address or no key to sign it with."""
    keys = settings.signing_keys
    if not keys or not settings.public_url:
        return ""
    return f"{settings.public_url.rstrip('/')}/u/{tokens.sign(keys, next(iter(keys)), PURPOSE, link.payload, SIGNATURE)}"


def read_link(settings: Settings, token: str) -> Link | None:
    """The link a token was made for, by the key of now or one of before; None for every other text."""
    payload = tokens.read(settings.signing_keys, token, PURPOSE, SIGNATURE)
    return None if payload is None else _link(payload)


def _link(payload: str) -> Link | None:
    user, _, rest = payload.partition(".")
    rest, _, touch = rest.rpartition(".")
    channel, _, topic = rest.rpartition(".")
    return Link(int(user), channel, topic, int(touch)) if user.isdecimal() and touch.isdecimal() and channel and topic else None


def undo_token(settings: Settings, link: Link, at: datetime) -> str:
    """What takes one withdrawal back for ten minutes."""
    keys = settings.signing_keys
    return tokens.sign(keys, next(iter(keys)), UNDO, f"{link.payload}.{int(at.timestamp())}", SIGNATURE)


def may_undo(settings: Settings, link: Link, token: str, now: datetime) -> bool:
    """Whether this token takes back a withdrawal made by this link in the last ten minutes."""
    payload = tokens.read(settings.signing_keys, token, UNDO, SIGNATURE) or ""
    told, _, at = payload.rpartition(".")
    return told == link.payload and now - datetime.fromtimestamp(int(at), UTC) <= UNDO_FOR


def look(app: App, link: Link, now: datetime) -> View:
    """What the page shows now; it changes nothing."""
    with app.work(now) as work:
        user = _user(work, link)
        settings = work.project.settings
        if user is None:
            return View(settings.name, settings.locale)
        stands = consent.standing_of(work.tx, [user]).get(user, Standing())
        channels, topics = _offered(work, link)
        return View(
            sender=settings.name,
            locale=people(work.tx, [user])[user].locale or "",
            channels={c: not refused(stands, c, MARKETING) for c in channels},
            topics={t: f"{ANY}/{t}" not in stands.refused for t in topics},
            known=True,
            stopped=refused(stands, link.channel, MARKETING),
        )


def _offered(work: Work, link: Link) -> tuple[list[str], list[str]]:
    """Channels and topics of promotion in this project, those of the link among them."""
    texts = [t for variants in work.project.templates.values() for t in variants.values() if t.purpose == MARKETING]
    channels = dict.fromkeys([link.channel, *(name for name in work.project.channels if any(t.channel == name for t in texts))])
    used = {t.content_type for t in texts}
    return list(channels), [name for name in work.project.settings.content_types if name in used]


def _user(work: Work, link: Link) -> int | None:
    """The reader, or whoever they are part of now; None for one who is no user any more."""
    user = identities.who_now(work.tx, [link.user_id]).get(link.user_id, link.user_id)
    return user if user in people(work.tx, [user]) else None


def carry_out(app: App, said: Said, now: datetime) -> None:
    """Write what somebody said, committed when this returns; of who is no user (any more) nothing is kept, and nobody is told."""
    with app.work(now) as work:
        user = _user(work, said.link)
        if user is not None:
            _write(work, user, said)


def _write(work: Work, user: int, said: Said) -> None:
    link = said.link
    if said.kind != "choose":
        state = WITHDRAWN if said.kind == "withdraw" else GRANTED
        _say(work, user, said, (link.channel, link.topic, state))
        return
    stands = consent.standing_of(work.tx, [user]).get(user, Standing())
    channels, topics = _offered(work, link)
    for word in said.offered:
        channel, topic = (word, MARKETING) if word in channels else (ANY, word.removeprefix("*/"))
        if word not in channels and topic not in topics:
            continue
        stopped = refused(stands, channel, MARKETING) if channel != ANY else word in stands.refused
        if stopped == (word in said.words):
            _say(work, user, said, (channel, topic, GRANTED if stopped else WITHDRAWN))


def _say(work: Work, user: int, said: Said, what: tuple[str, str, str]) -> None:
    channel, topic, state = what
    line = Line(channel, topic, state, said.at, said.source, said.wording, f"touch {said.link.touch_id}")
    consent.record(work.tx, user, line)
    if state == GRANTED and channel != ANY:
        _reopen(work, user, line)
    end_refused(work, user)


def _reopen(work: Work, user: int, line: Line) -> None:
    """Who wants a channel back also takes back what they once said of all its messages: the narrower refusal would win otherwise."""
    if line.channel in consent.opt_outs_of(work.tx, [user]).get(user, ()):
        consent.record(work.tx, user, Line(line.channel, ANY, GRANTED, line.at, line.source, line.wording, line.evidence))
