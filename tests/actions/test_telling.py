"""Logs say ids and stored words alone, whoever writes them, and never hold up the work: not on a full disk, not without a reader (F62)."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sop_engine.actions.log_lines import LONGEST_LINE
from sop_engine.actions.telling import begin_telling, tell, telling

Said = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Said]:
    """Logs as JSON into a file; what stands there."""
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    begin_telling("json", "quiet", fd=fd)
    yield lambda: [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    begin_telling("off", "off")
    os.close(fd)


def test_an_event_is_one_object_with_its_ids(said: Said) -> None:
    tell("touch", run=1, touch=2, version=3, flow="沉默", step="a", channel="sms", outcome="sent", reason=None)
    [line] = said()
    assert line.pop("time").endswith("Z")
    ids = {"run": 1, "touch": 2, "version": 3, "flow": "沉默", "step": "a", "channel": "sms", "outcome": "sent"}
    assert line == {"level": "info", "event": "touch", **ids}


def test_keys_that_are_not_listed_are_left_out_and_values_are_short(said: Said) -> None:
    tell("touch", phone="13800000000", address="a@b.c", body="text", reason="x" * 1000)
    [line] = said()
    assert set(line) == {"time", "level", "event", "reason"}
    assert len(line["reason"]) == 80


@pytest.mark.parametrize("name", ["celery.worker", "some.package"])
def test_what_others_log_comes_without_what_was_filled_in(said: Said, name: str) -> None:
    log = logging.getLogger(name)
    log.error("cannot send to %s", "13800000000")
    log.error("cannot send to 13800000000 or anna@example.com or 王小明")
    try:
        raise ValueError("13800000000")
    except ValueError:
        log.exception("failed for %r", "王小明")
    text = json.dumps(said(), ensure_ascii=False)
    assert [secret for secret in ("13800000000", "anna@", "王小明") if secret in text] == []
    assert said()[-1]["error"] == "ValueError"
    assert "test_telling.py:" in said()[-1]["where"]
    assert ("cannot send to %s" in text) is (name == "celery.worker")


def test_a_full_log_device_is_swallowed_and_the_next_line_says_what_was_lost(said: Said) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    begin_telling("json", "json", fd=full)
    handler = next(h for h in logging.getLogger().handlers if hasattr(h, "dropped"))
    tell("touch", touch=1)
    logging.getLogger("celery").warning("something")
    assert handler.dropped == 2
    os.dup2(os.open(os.devnull, os.O_WRONLY), full)
    tell("touch", touch=2)
    assert handler.dropped == 0
    os.close(full)


def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    read, write = os.pipe()
    begin_telling("json", "json", fd=write)
    for number in range(5_000):  # far more than a pipe takes
        tell("touch", touch=number)
    handler = next(h for h in logging.getLogger().handlers if hasattr(h, "dropped"))
    lost = handler.dropped
    assert lost > 0
    while lost and len(os.read(read, 65536)) == 65536:
        pass
    tell("touch", touch=9)
    lines = [json.loads(line) for line in os.read(read, 2 * LONGEST_LINE).decode().splitlines()[-2:]]
    assert [line["event"] for line in lines] == ["touch", "log_lines_lost"]
    assert lines[1]["dropped"] == lost
    os.close(read)
    tell("touch", touch=10)
    assert handler.dropped == 1
    begin_telling("off", "off")
    os.close(write)


def test_nothing_is_told_before_a_door_begins_and_quiet_tells_warnings_alone(tmp_path: Path) -> None:
    file = tmp_path / "log"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    begin_telling("off", "json", fd=fd)
    tell("touch", level="error", touch=1)
    assert not telling("error")
    begin_telling("auto", "quiet", fd=fd)
    tell("touch", touch=2)
    tell("job_failed", level="warning", job="sweep")
    begin_telling("text", "quiet", fd=fd)
    tell("touch", touch=3, flow="流程")
    begin_telling("off", "off")
    os.close(fd)
    lines = [line.partition(" ")[2] for line in file.read_text("utf-8").splitlines()]
    assert lines == ['WARNING job_failed job="sweep"', 'INFO touch touch=3 flow="流程"']
