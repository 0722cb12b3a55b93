"""The HTTP API under requests a machine makes up from its own description: nothing is ever answered with a 5xx or a redirect."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi

from sop_engine.console.pages import build
from tests.conftest import sqlite_copy
from tests.console.ingesting import Door, Doors
from tests.shop import Shop

pytestmark = pytest.mark.slow  # making requests up takes seconds
FEW = settings(
    max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
MAY_BE_AWAY = ("/readyz", "/metrics")  # 503 is what they are there for


def described() -> list[tuple[str, str]]:
    """Every route the application describes, as (method, path)."""
    with sqlite_copy(sqlite3.connect(":memory:")) as engine:
        paths = build(Shop(engine).app).openapi()["paths"]
    return sorted((method, path) for path, methods in paths.items() for method in methods if path not in MAY_BE_AWAY)


ROUTES = described()


@pytest.fixture(scope="module")
def open_door(doors: Doors) -> Iterator[Door]:
    """One shop for all of it: what one request stores, the next one meets."""
    with doors.open() as door:
        yield door


@pytest.fixture(scope="module")
def schema(open_door: Door) -> Any:
    return openapi.from_dict(build(open_door.shop.app).openapi())


@pytest.mark.parametrize(("method", "path"), [pytest.param(*route, id=" ".join(route)) for route in ROUTES])
def test_whatever_is_asked_is_answered_without_a_5xx_or_a_redirect(open_door: Door, schema: Any, method: str, path: str) -> None:
    operation = schema[path][method.upper()]
    made_up = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)))
    key = open_door.new_key("fuzz", "ingest", "read", "operate")

    @FEW
    @given(case=made_up, known=st.sampled_from([True, True, True, False]))
    def ask(case: Any, known: bool) -> None:
        how = case.as_transport_kwargs(base_url="http://test")
        how = {
            name: value
            for name, value in how.items()
            if name in ("method", "url", "params", "headers", "json", "content") and value is not None
        }
        if isinstance(case.body, bytes):
            how["content"] = case.body
        how["headers"] = {k: v.encode("utf-8", "replace") for k, v in dict(how.get("headers") or {}).items()}
        answer = open_door.client.request(how.pop("method"), how.pop("url"), auth=(key, "") if known else None, **how)
        assert answer.status_code in (200, 400, 401, 404, 405, 422), (answer.status_code, answer.text)

    ask()


def test_every_route_of_the_api_is_among_them() -> None:
    assert {("post", f"/v1/{kind}") for kind in ("identify", "track", "page", "screen", "alias", "group", "batch")} <= set(ROUTES)
    assert {("get", "/v1/users"), ("get", "/v1/projects/{key}/settings"), ("get", "/healthz")} <= set(ROUTES)
