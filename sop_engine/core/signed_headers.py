"""Decides whether a received mail was signed so that its reader's mail program offers the one-click way out."""

import re
from dataclasses import dataclass

MUST_BE_SIGNED = ("from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post")
_FOLDED = re.compile(r"\r?\n[ \t]+")
_TAG = re.compile(r"\s*([a-zA-Z][\w]*)\s*=([^;]*)(?:;|$)")


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM signature: whose it is, and which of the headers that must be signed it leaves out."""

    domain: str
    selector: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedMail:
    """What a received mail says of itself. `good`: some signature of the sender's own domain signs all that must be signed."""

    sender_domain: str
    absent: tuple[str, ...]  # headers that must be there and are not
    signatures: tuple[Signature, ...]

    @property
    def good(self) -> bool:
        """Whether a mail program will offer the way out."""
        return not self.absent and any(not s.missing and _aligned(s.domain, self.sender_domain) for s in self.signatures)


def examine_mail(raw: bytes) -> SignedMail:
    """The signatures in the raw source of a received mail; whether they are valid is the receiver's to say, in its own header."""
    head = re.split(r"\r?\n\r?\n", raw.decode("utf-8", "replace"), maxsplit=1)[0]
    lines = [line.partition(":") for line in re.split(r"\r?\n", _FOLDED.sub(" ", head)) if ":" in line]
    headers = [(name.strip().lower(), value.strip()) for name, _, value in lines]
    there = {name for name, _ in headers}
    sender = next((value for name, value in headers if name == "from"), "")
    domain = sender.rpartition("@")[2].strip(' <>"').lower()
    signatures = tuple(_signature(value) for name, value in headers if name == "dkim-signature")
    return SignedMail(domain, tuple(h for h in MUST_BE_SIGNED if h not in there), signatures)


def _signature(value: str) -> Signature:
    tags = {name.lower(): text.strip() for name, text in _TAG.findall(value)}
    signed = {part.strip().lower() for part in tags.get("h", "").split(":")}
    return Signature(tags.get("d", "").lower(), tags.get("s", ""), tuple(h for h in MUST_BE_SIGNED if h not in signed))


def _aligned(domain: str, sender: str) -> bool:
    """The same domain, or the one is under the other, as receivers accept it."""
    return bool(domain) and (domain == sender or sender.endswith("." + domain) or domain.endswith("." + sender))
