"""Whatever goes wrong while an access token is fetched has sent nothing: the message is repeated, and nothing is said of it."""

import pytest

from sop_engine.channels.contract import Receipt, call
from sop_engine.core.errors import DeliveryError
from tests.channels.suite.wechat import TOKENS, WECHAT


@pytest.mark.parametrize("name", WECHAT)
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("cut_before", "retry_after:not_accepted"),
        ("accept_then_cut", "retry_after:not_accepted"),
        ("accept_then_500", "retry_after:not_accepted"),
        ("html_200", "retry_after:not_accepted"),
        ("garbage", "retry_after:not_accepted"),
        ("40125", "retry_after:configuration"),
    ],
)
def test_without_a_token_nothing_is_sent_and_the_next_call_sends_it_once(name: str, step: str, expected: str) -> None:
    with WECHAT[name]() as rig:
        rig.play(TOKENS + step)
        [lost] = call(rig.channel, [rig.message])
        assert isinstance(lost, DeliveryError)
        assert (f"{lost.kind}:{lost.reason}", list(rig.taken()), list(rig.wire())) == (expected, [], [])
        assert not any(word in f"{lost!r} {lost} {lost.detail}" for word in rig.never)
        [found] = call(rig.channel, [rig.message])
        assert isinstance(found, Receipt)
        assert (len(rig.taken()), list(rig.wire())) == (1, [rig.prepare(rig.message)])
