"""Decides which addresses in a message are followed through us, what is added to them, and which visits look like a machine's."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, unquote, urlsplit

from sop_engine.core.forms import Length

PURPOSE, SIZE = "click", 12  # of the token: what it is signed for, and the bytes of its signature
MEDIUM = "crm"
TOO_SOON = timedelta(seconds=10)  # nobody reads and clicks so soon after the provider took the message
TOGETHER = timedelta(seconds=5)  # nobody opens every link of a message within it
SCANNERS = (
    "bot", "crawl", "spider", "scan", "preview", "prefetch", "proxy", "monitor", "headless", "phantom", "lighthouse",
    "barracuda", "mimecast", "proofpoint", "safelinks", "forcepoint", "fireeye", "trendmicro", "symantec", "cloudmark", "sophos",
    "urlscan", "virustotal", "facebookexternalhit", "slack", "telegram", "whatsapp", "curl", "wget", "python", "java/", "okhttp",
    "go-http-client", "libwww", "httpclient", "node-fetch", "axios",
)  # fmt: skip
"""Parts of the names by which machines call themselves, in small letters."""

_LINK = re.compile(r"https?://[!#-;=?-\[\]_a-z~|]+", re.IGNORECASE)  # other scripts end it, quotes and angle brackets too


@dataclass(frozen=True, slots=True)
class LinkRules:
    """What the project says about links. `hosts`: only these are tracked (none named: what templates name or write themselves)."""

    tracked: bool = False
    hosts: tuple[str, ...] = ()
    utm_hosts: tuple[str, ...] = ()
    fallback: str = ""  # where a link leads whose message is not known any more
    keep: Length = field(default_factory=lambda: Length(days=180))
    share_as: str = ""  # the name under which the page that is opened gets the link's own token


@dataclass(frozen=True, slots=True)
class Utm:
    """Where a visit comes from, in the words of web statistics. No level and no user is in it."""

    source: str
    campaign: str
    content: str


def utm_of(via: str, playbook: str, step: str, variant: str) -> Utm:
    """The marks of a message: the kind of its channel, its playbook, its step with the variant."""
    kind = "sms" if via.endswith("_sms") else via.partition("_")[0] if via.startswith("wecom_") else via
    return Utm(kind, playbook, f"{step}.{variant}" if variant else step)


def with_utm(url: str, utm: Utm) -> str:
    """The address with the marks before its fragment; marks that are there stay, and nothing else changes."""
    whole, hash_sign, fragment = url.partition("#")
    base, question, query = whole.partition("?")
    there = {unquote(part.partition("=")[0]).lower() for part in query.split("&")}
    marks = {"utm_source": utm.source, "utm_medium": MEDIUM, "utm_campaign": utm.campaign, "utm_content": utm.content}
    added = [f"{name}={quote(value, safe='')}" for name, value in marks.items() if name not in there]
    return base + (question or "?" if query or added else question) + "&".join([*([query] if query else []), *added]) + hash_sign + fragment


def with_token(url: str, name: str, token: str) -> str:
    """The address with the token of its link before the fragment, by which the page can say later which link was opened."""
    whole, hash_sign, fragment = url.partition("#")
    return f"{whole}{'&' if '?' in whole else '?'}{name}={token}{hash_sign}{fragment}"


def header_of(url: str) -> str:
    """The address as it can stand in a header: other scripts, spaces and line breaks are written as percent signs."""
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~")


def is_on(url: str, hosts: Sequence[str]) -> bool:
    """Whether the address is on one of these hosts, written `shop.example.com`, or `*.example.com` for all below it."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)


def links_in(text: str) -> list[str]:
    """Every http address written in a text, in order, without the punctuation after it."""
    return [without_punctuation(found) for found in _LINK.findall(text)]


def without_punctuation(found: str) -> str:
    """Without the punctuation of the sentence: a closing bracket belongs to the address that opened it."""
    url = found.rstrip(".,;:!?'*|")
    for opening, closing in ("()", "[]"):
        if url.endswith(closing) and url.count(closing) > url.count(opening):
            return without_punctuation(url[:-1])
    return url


@dataclass
class Linker:
    """Writes the addresses of one message. `address_of` gives the tracked address number n; None: links stay what they are."""

    rules: LinkRules
    utm: Utm
    address_of: Callable[[int], str] | None = None
    targets: dict[int, tuple[str, str]] = field(default_factory=dict)  # number -> (name, address it leads to)
    _next: int = 0
    _named: frozenset[str] = frozenset()  # what was written for named links

    def named(self, links: Sequence[tuple[str, str]]) -> dict[str, str]:
        """The addresses to write for `link.NAME`; they are numbered first, whatever is written."""
        self._next = len(links)
        written = {name: self._written(n, name, url, own=True) for n, (name, url) in enumerate(links)}
        self._named = frozenset(written.values())
        return written

    def text(self, text: str, source: str) -> str:
        """A written text with the addresses in it that nobody named; `source` is what the template itself says."""

        def one(found: re.Match[str]) -> str:
            if found[0] in self._named:
                return found[0]
            url = without_punctuation(found[0])
            return self._found(url, own=url in source) + found[0][len(url) :]

        known = "|".join(re.escape(address) for address in sorted(self._named, key=len, reverse=True))  # they may hold other scripts
        return (re.compile(f"{known}|{_LINK.pattern}", re.IGNORECASE) if known else _LINK).sub(one, text)

    def used_in(self, text: str) -> dict[int, tuple[str, str]]:
        """The tracked addresses that stand in what is sent."""
        written = links_in(text)
        return {n: target for n, target in self.targets.items() if self._address(n) in written}

    def _found(self, url: str, *, own: bool) -> str:
        known = next((n for n, (_, target) in self.targets.items() if target == self._marked(url)), None)
        if known is not None:
            return self._address(known)
        written = self._written(self._next, str(self._next), url, own=own)
        self._next += 1
        return written

    def _written(self, n: int, name: str, url: str, *, own: bool) -> str:
        marked = self._marked(url)
        tracked = is_on(url, self.rules.hosts) if self.rules.hosts else own
        if self.address_of is None or not tracked or not url.lower().startswith(("https://", "http://")):
            return marked
        self.targets[n] = (name, marked)
        return self._address(n)

    def _address(self, n: int) -> str:
        return self.address_of(n) if self.address_of else ""

    def _marked(self, url: str) -> str:
        return with_utm(url, self.utm) if is_on(url, self.rules.utm_hosts) else url


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a tracked link. `headers` have small names."""

    method: str
    headers: Mapping[str, str] = field(default_factory=dict)


def suspicion(visit: Visit, accepted_at: datetime | None, now: datetime) -> str:
    """Why a visit looks like a machine's: head, prefetch, scanner or too_soon; empty when it looks like a person's."""
    if visit.method == "HEAD":
        return "head"
    if any("prefetch" in visit.headers.get(name, "").lower() for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")):
        return "prefetch"
    agent = visit.headers.get("user-agent", "").lower()
    if not agent or any(word in agent for word in SCANNERS):
        return "scanner"
    return "too_soon" if accepted_at is None or now - accepted_at < TOO_SOON else ""


def all_at_once(times: Sequence[datetime], links: int) -> bool:
    """Whether every link of a message with several was opened within a few seconds."""
    return links > 1 and len(times) >= links and max(times) - min(times) <= TOGETHER
