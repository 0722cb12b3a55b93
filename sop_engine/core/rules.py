"""Decides what law and platforms ask of a message: which rules are about it, and what of them it breaks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sop_engine.core.addresses import phone_e164
from sop_engine.core.conditions import Facts
from sop_engine.core.forms import Hours, Limit

if TYPE_CHECKING:
    from sop_engine.core.catalog import Channel
    from sop_engine.core.project import Project

SIGN = "{sign}"  # in `must_start_with`: the registered signature, whatever it is
_SIGN = r"[^【】{}\s]{2,12}"
HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post")  # what marketing mail always carries
COUNTRIES: Mapping[str, str] = {
    "+86": "CN", "+852": "HK", "+853": "MO", "+886": "TW", "+65": "SG", "+81": "JP", "+82": "KR", "+44": "GB", "+49": "DE", "+33": "FR",
    "+1": "US",
}  # fmt: skip
ELSEWHERE = "-"  # a phone number of a country that has no name here


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: about which channels, country and purpose (empty: any), and what it asks."""

    id: str
    channel: str = ""  # the name of a channel, sms, or another `via`
    country: str = ""
    purpose: str = ""
    must_start_with: str = ""
    must_end_with: str = ""
    subject_starts_with: tuple[str, ...] = ()
    hours: Hours | None = None
    never_outside: Hours | None = None
    caps: tuple[Limit, ...] = ()
    consent: str = ""  # explicit, or implied: silence is enough
    refuse_if: str = ""  # minor
    must_offer: str = ""  # opt_out: a visible link
    headers: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    override: str = ""  # why the project changes a shipped rule
    off: bool = False
    place: str = ""

    def about(self, channel: "Channel", purpose: str) -> bool:
        """Whether it is about messages of this purpose over this channel, in whatever country."""
        kinds = ("", channel.name, channel.via, "sms" if channel.via.endswith("_sms") else channel.via)
        return not self.off and self.channel in kinds and self.purpose in ("", purpose)


@lru_cache(maxsize=1024)
def rules_for(project: "Project", channel: "Channel", purpose: str, country: str) -> tuple[Rule, ...]:
    """The rules about these messages to people of this country."""
    return tuple(r for r in project.rules if r.about(channel, purpose) and r.country in ("", country))


def country_of(project: "Project", facts: Facts) -> str:
    """Where somebody is: by the prefix of their first phone number, else where the project is."""
    for name, attribute in project.attributes.items():
        number = phone_e164(str(facts.get(name) or "")) if attribute.type == "phone" else None
        if number is not None:
            known = (COUNTRIES[p] for p in sorted(COUNTRIES, key=len, reverse=True) if number.startswith(p))
            return next(known, ELSEWHERE)
    return project.settings.country


def broken(rule: Rule, subject: str, text: str) -> Iterator[str]:
    """What of the rule a written text breaks, as sentences."""
    if rule.must_end_with and not text.rstrip().endswith(rule.must_end_with):
        yield f"it must end with '{rule.must_end_with}'"
    if rule.must_start_with and not _beginning(rule.must_start_with).match(text.lstrip()):
        yield f"it must begin with '{rule.must_start_with.replace(SIGN, '签名')}'"
    if rule.subject_starts_with and not subject.lstrip().startswith(rule.subject_starts_with):
        yield f"its subject must begin with {' or '.join(rule.subject_starts_with)}"


@lru_cache(maxsize=64)
def _beginning(wanted: str) -> re.Pattern[str]:
    return re.compile(_SIGN.join(re.escape(part) for part in wanted.split(SIGN)))


def overridden(project: "Project") -> list[tuple[str, str]]:
    """(rule, reason) of every shipped rule the project changes."""
    return [(rule.id, rule.override) for rule in project.rules if rule.override]
