"""Keeps to the list of addresses that are not written to: who is on it, who comes on it, and who leaves it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sop_engine.app import Work
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import BadInput
from sop_engine.core.project import Project
from sop_engine.core.suppression import OF_ERROR, address_hmac, normal_form
from sop_engine.store import consent, suppressions
from sop_engine.store import facts as store_facts
from sop_engine.store.scope import Scope
from sop_engine.store.suppressions import Entry, Suppressed


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message would go: what kind of address, its normal form, over which channel, and to which colleague it belongs."""

    kind: str
    normal: str
    channel: str
    pair: str = ""


Listed = Mapping[Address, Sequence[tuple[str, str]]]
"""By address: (scope, reason) of each entry that stands against it."""


def address_of(project: Project, channel: Channel, text: str) -> Address:
    """The address as the list knows it. Of a WeCom customer with a colleague, `CUSTOMER@COLLEAGUE`, the customer, and the colleague."""
    attribute = project.attributes.get(channel.to or "")
    kind = attribute.type if attribute is not None and attribute.type in ("phone", "email") else "id"
    if kind == "id":
        kind = "phone" if channel.via.endswith("_sms") else "email" if channel.via == "email" else "id"
    value, pair = (text, "")
    if channel.via.startswith("wecom_"):
        value, _, pair = text.partition("@")
    return Address(kind, normal_form(kind, value) or text.strip(), channel.name, pair)


def keys_of(work: Work) -> list[bytes]:
    """The keys under which addresses are kept, the current one first. Without a signing key it is the name of the database."""
    return [*work.app.settings.signing_keys.values(), work.app.instance(work.tx).encode()]


def suppressed_of(work: Work, addresses: Iterable[Address]) -> Listed:
    """What stands against these addresses, in one statement; nothing in rehearsals, whose addresses are nobody's."""
    asked = {a: [address_hmac(key, a.kind, a.normal) for key in keys_of(work)] for a in dict.fromkeys(addresses)}
    if not asked or work.app.rehearsal is not None:
        return {}
    found = suppressions.of_hashes(work.tx, (h for hashes in asked.values() for h in hashes), work.now)
    return {a: _against(a, [one for h in hashes for one in found.get(h, ())]) for a, hashes in asked.items()} if found else {}


def _against(address: Address, rows: Sequence[Suppressed]) -> list[tuple[str, str]]:
    return [(r.scope, r.reason) for r in rows if r.channel in ("*", address.channel) and r.pair in ("", address.pair)]


def against(listed: Listed, address: Address) -> Sequence[tuple[str, str]]:
    """(scope, reason) of each entry against one address."""
    return listed.get(address, ())


def unreachable(work: Work, project: Project, user: int, channel_name: str, reason: str) -> None:
    """A channel could not reach somebody: the address comes on the list, or the refusal into the ledger, as the reason says."""
    if reason == "no_consent":
        consent.add_opt_out(work.tx, user, channel_name, work.now, reason)
    kept, channel = OF_ERROR.get(reason), project.channels.get(channel_name)
    if kept is None or channel is None or channel.to is None:
        return
    value = store_facts.read_facts(work.tx, work.project, [channel.to], Scope.of([user]), work.now).get(user, {}).get(channel.to)
    if value:
        one = address_of(project, channel, str(value))
        try:
            suppress_here(work, one, kept)
        except BadInput:
            return  # what was written there is no address of its kind: nobody can be found by it


def suppress_here(work: Work, one: Address, reason: str, *, scope: str = "all") -> bool:
    """Put an address on the list over its channel; for all messages if they cannot arrive. False when it stood there. Raises BadInput."""
    entry = Entry(one.kind, one.normal, one.channel, reason, scope, one.pair)
    return suppressions.suppress(work.tx, keys_of(work)[0], entry, work.now)
