"""Writes that somebody must not, or does not want to, be written to any more by a channel."""

from sop_engine.actions.suppressing import address_of as listed_as
from sop_engine.actions.suppressing import suppress_here
from sop_engine.app import Work
from sop_engine.core.errors import BadInput
from sop_engine.store import consent, whose
from sop_engine.store import facts as store_facts
from sop_engine.store.scope import Scope

OF_ADDRESS = {"bounced": "all", "blocked": "all", "complained": "marketing"}
"""Reasons that are about an address, whoever has it, and what is not sent there any more."""


def refuse(work: Work, user_id: int, channel: str, reason: str, address: str = "") -> None:
    """Nothing more goes to the user, or to the address, by this channel and those that share its account; once, however often it is said.

    `reason`: why, in a stored word; `address`: the one that is refused, where it is known.
    """
    scope = OF_ADDRESS.get(reason)
    address = address or (address_of(work, user_id, channel) if scope else "")
    for name in _same_account(work, channel):
        if not (scope and address and _listed(work, name, address, reason, scope)):
            consent.add_opt_out(work.tx, user_id, name, work.now, reason)


def _listed(work: Work, channel: str, address: str, reason: str, scope: str) -> bool:
    """Put the address on the list of those that are not written to; False when it is no address of the channel's kind."""
    known = work.project.channels.get(channel)
    if known is None:
        return False
    try:
        suppress_here(work, listed_as(work.project, known, address), reason, scope=scope)
    except BadInput:
        return False
    return True


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
