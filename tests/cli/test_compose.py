"""The compose file says what production is; its very commands are started here without Docker, and an event becomes a message."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import func, select

from sop_engine.store import outbox, processes
from sop_engine.store.engine import open_engine, reading
from tests.conftest import Databases
from tests.processes import ROOT, Process, until
from tests.servers import Server
from tests.shop_project import CATALOGUE, PROJECT, text

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "scheduler", "worker", "web")
ONCE = ("migrate", "certificate")
FLOW = """
tier: stage
levels:
  looking: orders = 0
  buying: otherwise
---
playbook: thanks
tier: stage
levels:
  buying:
    intent: serve
    again: never
    goal: buys
    no_benefit: a word of thanks
    steps:
      thanks: {at: now, send: receipt}
  looking: {none: nothing to thank for}
"""


def seconds(service: str) -> int:
    return int(str(SERVICES[service]["stop_grace_period"]).removesuffix("s"))


def test_c_17_there_is_one_service_for_each_part() -> None:
    assert set(SERVICES) == {"postgres", "redis", "mail", "certificate", *OURS}
    assert "container_name" not in SERVICES["worker"]  # else it could not be scaled
    assert "ports" not in SERVICES["worker"]


def test_our_services_run_the_command_sop_and_wait_for_the_migration() -> None:
    assert [SERVICES[name]["command"][0] for name in OURS] == ["sop"] * 4
    for name in ("scheduler", "worker", "web"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert seconds(name) > 30


def test_servers_are_checked_restarted_and_keep_their_data() -> None:
    assert all("healthcheck" in SERVICES[name] for name in ("postgres", "redis", "web", "mail"))
    assert {name for name, service in SERVICES.items() if service["restart"] != "unless-stopped"} == set(ONCE)
    assert {"postgres", "redis"} <= set(COMPOSE["volumes"])
    redis = SERVICES["redis"]["command"]
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"


def test_nothing_is_open_to_other_machines() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_there_is_no_secret_in_it() -> None:
    for file in ("docker-compose.yml", "Dockerfile"):
        lines = [line for line in (ROOT / file).read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
        said = [line for line in lines if re.search(r"PASSWORD|SECRET|_KEY\b|TOKEN", line, re.IGNORECASE)]
        assert [line for line in said if not re.search(r"\$\{\w+|/tls/key\.pem", line)] == []
    assert ".env" not in (ROOT / "Dockerfile").read_text("utf-8")


def test_the_image_runs_as_nobody_special_and_ends_on_sigterm() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER sop" in lines
    assert "STOPSIGNAL SIGTERM" in lines
    assert lines.index("COPY sop_engine ./sop_engine") > next(n for n, line in enumerate(lines) if "--requirement" in line)


@pytest.fixture
def surroundings(migrated_postgres: Databases, redis_server: Server) -> Iterator[dict[str, str]]:
    """The settings of the compose file with the addresses of the servers of the tests; the database is empty."""
    name = f"{migrated_postgres.prefix}_compose"
    url = migrated_postgres.create(name)
    said = {key for service in OURS for key in SERVICES[service]["environment"]}
    assert {"SOP_DATABASE_URL", "SOP_REDIS_URL", "SOP_SENDING"} <= said
    yield {"SOP_DATABASE_URL": url, "SOP_REDIS_URL": redis_server.url, "SOP_SENDING": "off", "SOP_LEASE_S": "12"}
    migrated_postgres.drop(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose one playbook thanks for an order at once."""
    head = "\n".join(f"{key}: {value}" for key, value in {**PROJECT, "primary_tier": "stage"}.items())
    files = {
        "playbooks/a.yml": f"{head}\n---\n{CATALOGUE}",
        "playbooks/b.yml": FLOW,
        "templates/receipt.md": text("receipt", "sms", purpose="service"),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def sop(folder: Path, surroundings: dict[str, str], *words: str) -> str:
    """Run one command to its end."""
    with Process(words, folder, surroundings) as process:
        assert process.process.wait(120) == 0, process.out + process.err
        return process.out


def command(service: str) -> list[str]:
    """The words of a service; a port of its own, for several tests may run."""
    words = [str(word) for word in SERVICES[service]["command"][1:]]
    return [*words[:-1], "0"] if service == "web" else words


@pytest.mark.slow
def test_its_commands_make_an_event_a_message(folder: Path, surroundings: dict[str, str]) -> None:
    sop(folder, surroundings, *command("migrate"))
    sop(folder, surroundings, "apply", "--yes", "--no-test")
    engine = open_engine(surroundings["SOP_DATABASE_URL"])

    def messages() -> list[tuple[str, str]]:
        with reading(engine) as tx:
            return [(row.channel, row.text) for row in tx.execute(select(outbox.outbox.c.channel, outbox.outbox.c.text))]

    def workers() -> int:
        with reading(engine) as tx:
            return int(tx.execute(select(func.count()).where(processes.processes.c.kind == "worker")).scalar_one())

    with ExitStack() as stack:
        stack.callback(engine.dispose)
        names = ("scheduler", "worker", "worker", "web")
        started = [stack.enter_context(Process(command(name), folder, surroundings)) for name in names]
        web = started[-1].address()
        until(lambda: workers() == 2, what="both workers have begun")
        sop(folder, surroundings, "track", "u1", "visit")
        sop(folder, surroundings, "set", "u1", "phone", "13800000001")
        sop(folder, surroundings, "track", "u1", "order", "-f", "order_id=a1", "-f", "amount=12")
        until(messages, seconds=60, what="the message is in the outbox")
        until(lambda: httpx.get(f"{web}/readyz", timeout=10, trust_env=False).status_code == 200, seconds=60, what="ready")
        seen = httpx.get(f"{web}/metrics", timeout=10, trust_env=False).text
        assert "sop_oldest_due_unsent_seconds 0.0" in seen
        assert 'sop_attempts_last_hour{channel="sms",outcome="accepted"} 1.0' in seen
        for process in started:
            process.process.terminate()
        ends = [process.process.wait(60) for process in started]  # not told twice: one that is all but gone would die of it
        assert ends == [0, 0, 0, 0], [process.err[-2000:] for process in started]
        assert not [secret for process in started for secret in ("13800000001",) if secret in process.out + process.err]
        assert len(messages()) == 1
