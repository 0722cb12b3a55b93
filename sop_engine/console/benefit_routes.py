"""The doors for benefits: reports that a code was used, signed, and the question whether a code is valid."""

import hmac
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from sop_engine.actions.redeeming import STATUS, look_up, redeem
from sop_engine.app import App
from sop_engine.channels.signature import is_signed
from sop_engine.core.errors import BadInput
from sop_engine.store.redemptions import Report

MOST = 64 * 1024
CHECKS, WINDOW_S, MOST_KNOWN = 10, 60.0, 10_000
KINDS = {"benefit.redeemed": "redeemed", "benefit.reversed": "reversed"}
NO_STORE = {"Cache-Control": "no-store"}


class Sparing:
    """Lets each caller ask so many times a minute; who has not asked for the longest is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}

    def may(self, who: str) -> bool:
        """Whether this one may ask now; that it did is remembered."""
        now = self._clock()
        times = self._asked.pop(who, deque())
        while times and now - times[0] >= WINDOW_S:
            times.popleft()
        allowed = len(times) < CHECKS
        if allowed:
            times.append(now)
        self._asked[who] = times
        if len(self._asked) > MOST_KNOWN:
            del self._asked[next(iter(self._asked))]
        return allowed


def benefit_router(app: App, now: Callable[[], datetime]) -> APIRouter:
    """The two routes."""
    router, sparing = APIRouter(), Sparing()

    @router.post("/v1/benefits/redemptions")
    async def redemptions(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        secrets = [s.strip() for s in app.settings.redemption_secrets.get_secret_value().split(",") if s.strip()]
        if not secrets or not is_signed(secrets, headers, body, now()):
            return Response(status_code=401)
        try:
            report, grant = read_report(headers["webhook-id"], body)
        except BadInput as error:
            return JSONResponse({"error": str(error)}, 400, headers=NO_STORE)
        taken = await run_in_threadpool(redeem, app, report, now(), grant=grant)
        return JSONResponse({"status": taken.word, "flags": list(taken.flags)}, STATUS[taken.word], headers=NO_STORE)

    @router.post("/v1/benefits/check")
    async def check(request: Request) -> Response:
        body = await _body(request)
        key = app.settings.check_key.get_secret_value()
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if body is None or not key or not hmac.compare_digest(shown.encode(), key.encode()):
            return Response(status_code=401)
        address = request.client.host if request.client else ""
        if not sparing.may(address):
            return Response(status_code=429, headers={"Retry-After": str(int(WINDOW_S))})
        found = await run_in_threadpool(look_up, app, _code(body), now())
        return JSONResponse({"valid": found.valid, "until": _time(found.until)}, headers=NO_STORE)

    return router


async def _body(request: Request) -> bytes | None:
    """The body, unless it is longer than any report."""
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > MOST:
            return None
    return read


def _code(body: bytes) -> str:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = told.get("code", "") if isinstance(told, dict) else ""
    return code[:100] if isinstance(code, str) else ""


def read_report(event: str, body: bytes) -> tuple[Report, str]:
    """(the report in a body, the key of the grant where it names that instead of a code). Raises BadInput saying what is wrong."""
    try:
        told = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadInput("the body is not JSON.") from error
    kind = KINDS.get(str(told.get("type"))) if isinstance(told, dict) else None
    data = told.get("data") if isinstance(told, dict) else None
    if kind is None or not isinstance(data, dict):
        raise BadInput(f"'type' must be one of {', '.join(KINDS)}, and 'data' an object.")
    at = _read_time(data.get("redeemed_at") or data.get("reversed_at") or told.get("timestamp"))
    code, grant = _text(data, "code"), _text(data, "grant")
    if not code and not grant:
        raise BadInput("'data' needs 'code' or 'grant'.")
    return Report(event, kind, code, _text(data, "order_id"), _text(data, "user_id"), _amount(data), _text(data, "currency"), at), grant


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is not None and not isinstance(value, str | int):
        raise BadInput(f"'{name}' must be text.")
    return "" if value is None else str(value)[:100]


def _amount(data: Mapping[str, Any]) -> Decimal | None:
    value = data.get("amount")
    try:
        amount = None if value is None else Decimal(str(value))
    except InvalidOperation as error:
        raise BadInput("'amount' must be a number.") from error
    if amount is not None and not (amount.is_finite() and 0 <= amount < Decimal(10) ** 12):
        raise BadInput("'amount' must be a number, 0 or more.")
    return amount


def _read_time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadInput("'redeemed_at' must be a time, like 2025-03-01T10:00:00Z.") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None
