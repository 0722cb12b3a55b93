"""Writes that somebody must not, or does not want to, be written to any more by a channel."""

from sop_engine.app import Work
from sop_engine.store import consent, whose
from sop_engine.store import facts as store_facts
from sop_engine.store.scope import Scope


def refuse(work: Work, user_id: int, channel: str, reason: str, address: str = "") -> None:
    """Nothing more of marketing goes to the user by this channel, and by those that share its account; once, however often it is said.

    `reason`: why, in a stored word; `address`: the one that is refused, where it is known.
    """
    for name in _same_account(work, channel):
        consent.add_opt_out(work.tx, user_id, name, work.now, reason)


def withdraw(work: Work, user_id: int, channel: str, source: str) -> None:
    """Who has answered that they want no more is asked for nothing by this channel, and so is everybody with the same address."""
    address = address_of(work, user_id, channel)
    for one in sorted({user_id, *users_at(work, channel, address)}):
        refuse(work, one, channel, source, address)


def address_of(work: Work, user_id: int, channel: str) -> str:
    """What the channel writes to when it writes to this user; empty where it is not known."""
    known = work.project.channels.get(channel)
    if known is None or not known.to:
        return ""
    value = store_facts.read_facts(work.tx, work.project, [known.to], Scope.of([user_id]), work.now).get(user_id, {}).get(known.to)
    return value if isinstance(value, str) else ""


def users_at(work: Work, channel: str, address: str) -> list[int]:
    """Everybody to whom the channel would write at this address. A pair of a customer and a colleague stands for the customer."""
    known = work.project.channels.get(channel)
    if known is None or not known.to or not address or known.to == "id":
        return []
    identity = known.to in dict(work.project.identities)
    found = whose.users_at(work.tx, known.to, address, identity=identity)
    customer, _, colleague = address.partition("@")
    if not found and colleague and getattr(work.project.attributes.get(known.to), "type", "") != "email":
        found = whose.users_at(work.tx, known.to, customer, identity=identity)
    return found


def _same_account(work: Work, channel: str) -> list[str]:
    """All mail goes one way: a refusal of one mail channel is one of every other."""
    known = work.project.channels.get(channel)
    if known is None:
        return [channel]
    return [one.name for one in work.project.channels.values() if one.account == known.account]
