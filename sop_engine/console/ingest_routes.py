"""The routes by which Segment's clients send events: read, taken in and committed before they are answered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from sop_engine.actions.keys import find_key
from sop_engine.actions.take_in import Arrival, Taken, take_in
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.console.answers import away, basic_user, preflight, refused, unauthorized, with_origin
from sop_engine.console.gate import Gate
from sop_engine.core.errors import BadInput
from sop_engine.language.segment import call_of, write_key_of
from sop_engine.language.wire import MOST_BYTES, TooLarge, parsed, unpacked
from sop_engine.store.repeating import is_no_fault_of_the_work

ROUTES = {"identify": "i", "track": "t", "page": "p", "screen": "s", "alias": "a", "group": "g", "batch": "b"}
WORKERS = 4  # calls that are worked on at a time
READ_ON = 16 * 1024 * 1024  # so much of a body that is too large is read and let go, so that the client hears the answer

Clock = Callable[[], datetime]
_TEXT = {"type": ["string", "null"]}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{name: _TEXT for name in ("userId", "anonymousId", "previousId", "groupId", "event", "name", "messageId", "writeKey")},
        "type": {"enum": [kind for kind in ROUTES if kind != "batch"]},
        **{name: {"type": "object"} for name in ("traits", "properties", "context", "integrations")},
        **{name: {"type": ["string", "number", "null"]} for name in ("timestamp", "sentAt")},
    },
}
_BATCH: dict[str, Any] = {
    "type": "object",
    "properties": {"batch": {"type": "array", "items": _ITEM}, "writeKey": _TEXT, "sentAt": _TEXT, "context": {"type": "object"}},
}


def ingest_router(app: App, now: Clock) -> APIRouter:
    """The routes of ingestion on this engine."""
    router = APIRouter(redirect_slashes=False)
    door = _Door(app, now)
    for kind, short in ROUTES.items():
        body = {"content": {"application/json": {"schema": _BATCH if kind == "batch" else _ITEM}}}
        for path in (f"/v1/{kind}", f"/v1/{short}"):
            for slash in ("", "/"):
                listed = not slash and path.endswith(kind)
                router.add_api_route(
                    path + slash, door.handler(kind), methods=["POST"], include_in_schema=listed, name=kind,
                    responses=_ANSWERS, openapi_extra={"requestBody": body}, response_model=None,
                )  # fmt: skip
                router.add_api_route(path + slash, door.preflight, methods=["OPTIONS"], include_in_schema=False)
    router.add_api_route("/v1/projects/{key}/settings", door.settings, methods=["GET"], response_model=None)
    router.add_api_route("/v1/projects/{key}/settings", door.preflight, methods=["OPTIONS"], include_in_schema=False)
    return router


_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "no JSON, or more than 4 MiB"},
    401: {"description": "no key that opens this"},
    429: {"description": "too much at once: come back after Retry-After seconds"},
    503: {"description": "the database is away: come back after Retry-After seconds"},
}


@dataclass(frozen=True, slots=True)
class _Came:
    """One call as it came."""

    kind: str
    body: bytes
    key: str
    received_at: datetime
    encoding: str
    history: bool


class _Door:
    """What the routes share: the engine, and how many calls are inside."""

    def __init__(self, app: App, now: Clock) -> None:
        self.app, self.now = app, now
        self.origins = app.settings.ingest_origins
        workers = 1 if app.engine.dialect.name == "sqlite" else WORKERS  # SQLite has one writer anyway
        self.gate: Gate[_Came, JSONResponse] = Gate(self._work, workers)

    def handler(self, kind: str) -> Callable[[Request], Any]:
        """The handler of one kind of call. It reads the body; the work is done in a thread."""

        async def handle(request: Request) -> JSONResponse:
            return with_origin(await self._answer(kind, request), request, self.origins)

        return handle

    async def _answer(self, kind: str, request: Request) -> JSONResponse:
        if not self.gate.enter():
            await _body(request, keep=False)
            return refused(429, "too_many_requests", "too much at once: come back later", retry_after_s=self.gate.come_back_s)
        try:
            body = await _body(request)
            if body is None:
                return refused(400, "too_large", f"a body has at most {MOST_BYTES} bytes")
            encoding, history = request.headers.get("content-encoding", ""), request.query_params.get("mode") == "history"
            return await self.gate.answer(_Came(kind, body, basic_user(request), self.now(), encoding, history), len(body))
        except ClientDisconnect:
            return refused(400, "invalid_json", "the body ended too early")
        except Exception as error:
            tell("call_failed", level="error", kind=kind, error=type(error).__name__)
            return away()
        finally:
            self.gate.leave()

    def _work(self, came: Sequence[_Came]) -> list[JSONResponse]:
        """Answer calls together; when that fails for another reason than the database, each by itself."""
        read = [_read(one) for one in came]
        arrivals = [one for one in read if isinstance(one, Arrival)]
        try:
            taken = iter(take_in(self.app, arrivals, max(one.received_at for one in came)))
        except Exception as error:  # whatever it is: what was not answered comes again, what was answered is stored
            tell("call_failed", level="error", count=len(came), error=type(error).__name__)
            alone = len(came) == 1 or is_no_fault_of_the_work(error)
            return [away() for _ in came] if alone else [answer for one in came for answer in self._work([one])]
        return [one if isinstance(one, JSONResponse) else _said(next(taken)) for one in read]

    def preflight(self, request: Request) -> JSONResponse:
        """What a browser asks before it sends."""
        return preflight(request, self.origins)

    def settings(self, request: Request, key: str) -> JSONResponse:
        """What Segment's client for browsers reads before anything else: where it sends to."""
        try:
            with self.app.transaction() as tx:
                known = find_key(tx, key, "ingest") is not None
        except Exception as error:
            tell("call_failed", level="error", kind="settings", error=type(error).__name__)
            return with_origin(away(), request, self.origins)
        if not known:
            return with_origin(unauthorized(), request, self.origins)
        public = self.app.settings.public_url or str(request.base_url)
        host = public.partition("://")[2].rstrip("/")
        told = {"integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1"}}}
        return with_origin(JSONResponse(told), request, self.origins)


def _read(came: _Came) -> Arrival | JSONResponse:
    """The call in a body, or the answer to what is none."""
    try:
        plain = unpacked(came.body, came.encoding)
        said, cleaned = parsed(plain)
        call = call_of(said, came.kind, came.received_at, history=came.history, size=len(plain))
    except BadInput as error:
        return refused(400, "too_large" if isinstance(error, TooLarge) else "invalid_json", str(error))
    named = isinstance(said.get("writeKey"), str) and bool(said["writeKey"])
    return Arrival(call, came.key or write_key_of(call, said), not (came.key or named), cleaned)


def _said(taken: Taken | None) -> JSONResponse:
    return unauthorized() if taken is None else JSONResponse({"success": True})


async def _body(request: Request, *, keep: bool = True) -> bytes | None:
    """The body; None when it is larger than any may be, or not to be kept."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > READ_ON:
            break
        if keep and size <= MOST_BYTES:
            parts.append(part)
    return b"".join(parts) if keep and size <= MOST_BYTES else None
