"""Messages of the broker are hints and nothing more: what is not one of ours is dropped, and every option of Celery exists."""

import inspect
from typing import Any

import pytest
from celery.app import defaults
from kombu.transport import redis as transport

from sop_engine.core.errors import Refused
from sop_engine.core.ladder import ladder_of
from sop_engine.settings import Settings
from sop_engine.worker.options import options
from sop_engine.worker.tasks import celery_app, checked, checked_slices

SETTINGS = options("redis://127.0.0.1:1/0", ladder_of())


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        {},
        "x",
        7,
        [],
        [[1]],
        [[1, 2, 3]],
        [[0, 1]],
        [[1, -1]],
        [["1", 1]],
        [[1.0, 1]],
        [[True, 1]],
        [[2**70, 1]],
        [[1, 1]] * 501,
        [{"a": 1}],
    ],
)
def test_f21_forged_and_garbage_hints_are_dropped(garbage: Any) -> None:
    assert checked(garbage) is None


def test_hints_are_pairs_of_a_touch_and_its_epoch() -> None:
    assert checked([[7, 1], [8, 3]]) == [(7, 1), (8, 3)]


@pytest.mark.parametrize(
    "garbage", [None, [], [["sweep:1", 1]], [["drop table", 1, 1]], [["sweep:x", 1, 1]], [["sweep:1", "1", 1]], "sweep:1"]
)
def test_f21_forged_slices_are_dropped(garbage: Any) -> None:
    assert checked_slices(garbage) is None


def test_every_option_exists_in_celery_and_in_its_transport() -> None:
    names = {name for name, _ in defaults.flatten(defaults.NAMESPACES)}
    assert set(SETTINGS) <= names
    source = inspect.getsource(transport)
    assert [name for name in SETTINGS["broker_transport_options"] if f"{name}" not in source] == []


def test_the_broker_keeps_no_results_repeats_nothing_and_takes_json_alone() -> None:
    wanted = {
        "task_acks_late": False, "task_reject_on_worker_lost": False, "result_backend": None, "task_ignore_result": True,
        "task_serializer": "json", "accept_content": ["json"], "worker_prefetch_multiplier": 1, "worker_disable_prefetch": True,
        "task_soft_time_limit": 45, "task_time_limit": 60, "worker_soft_shutdown_timeout": 30, "task_publish_retry": False,
        "task_create_missing_queues": False, "timezone": "UTC", "enable_utc": True, "broker_connection_max_retries": None,
    }  # fmt: skip
    assert {name: SETTINGS[name] for name in wanted} == wanted
    assert SETTINGS["broker_transport_options"]["visibility_timeout"] == 300


def test_without_redis_a_worker_says_what_to_set() -> None:
    with pytest.raises(Refused, match="set SOP_REDIS_URL"):
        celery_app(Settings.model_construct(redis_url=""), lambda: None)
