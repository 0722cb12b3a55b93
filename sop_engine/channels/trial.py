"""Sends tests: a channel that reaches the addresses it was made for and nobody else, and takes nothing but tests."""

from collections.abc import Iterable

from sop_engine.channels.contract import Channel, Message, Receipt
from sop_engine.core.addresses import same_address
from sop_engine.core.errors import Refused

KEYS = "test-"
"""How the key of every test begins, and of no other message."""


class Trial:
    """A channel behind which only test messages to listed addresses pass. It is no `Channel`: nothing that delivers can be given one."""

    def __init__(self, channel: Channel, addresses: Iterable[str]) -> None:
        self._channel = channel
        self._addresses = frozenset(same_address(a) for a in addresses)

    def try_out(self, message: Message) -> Receipt:
        """Hand over a test; raises Refused for any other message and for an address that is not listed, else as the channel does."""
        if not message.test or not message.key.startswith(KEYS) or message.benefit_code or message.touch_id:
            raise Refused("this is no test message: a test has a key of its own, no code and no touch.")
        if same_address(message.to) not in self._addresses:
            raise Refused("a test goes to listed addresses only; this one is none of them. Add it to SOP_TEST_ADDRESSES, or confirm it.")
        return self._channel.send(message)

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()
