"""The web addresses at which providers report: verified by the channel, stored, acknowledged as the provider wants it, then applied."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, Counter, generate_latest
from starlette.background import BackgroundTask

from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.actions.telling import tell
from sop_engine.app import App
from sop_engine.channels.contract import Listening, Reply
from sop_engine.channels.contract import Request as Told
from sop_engine.core.catalog import Channel
from sop_engine.core.errors import NotFound, Refused
from sop_engine.store.repeating import is_no_fault_of_the_work

LARGEST = 1024 * 1024
BY_SECRET = frozenset({"aliyun_sms", "tencent_sms"})  # their addresses hold a secret and no name: the channels themselves know which
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "webhook": ("webhook",),
    "staff_task": ("staff_task",),
    "aliyun_sms": ("aliyun_sms",),
    "tencent_sms": ("tencent_sms",),
    "wecom": ("wecom_customer", "wecom_welcome"),
    "oa": ("oa_template", "oa_subscribe", "mp_subscribe"),
    "mp": ("mp_subscribe",),
}
"""Which channels are reported about at an address, by their `via`."""

REGISTRY = CollectorRegistry(auto_describe=False)
SEEN = Counter(
    "sop_receipt_requests", "requests at the addresses of receipts, by what they were answered", ["via", "status"], registry=REGISTRY
)


def exposition() -> bytes:
    """What was counted in this process, as Prometheus reads it."""
    return generate_latest(REGISTRY)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, or that it was too large."""

    whole: bytes
    too_large: bool = False


async def body_of(request: Request) -> Body:
    """The body; no more is read than the limit."""
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > LARGEST:
            return Body(b"", too_large=True)
    return Body(read)


def receipt_router(app: App, now: Callable[[], datetime]) -> APIRouter:
    """The addresses `/v1/receipts/{via}/…` on this engine."""
    router = APIRouter()
    ears = Ears(app)

    @router.get("/v1/receipts/{via}/{rest:path}", name="report_seen", operation_id="report_seen", response_model=None)
    @router.post("/v1/receipts/{via}/{rest:path}", name="report", operation_id="report", response_model=None)
    def report(request: Request, via: str, rest: str, body: Annotated[Body, Depends(body_of)]) -> Response:
        at = now()
        try:
            answer = _answered(ears, via, rest, told_of(request, body.whole, at)) if not body.too_large else _bare(413)
        except Exception as error:
            if not is_no_fault_of_the_work(error):
                raise
            answer = _bare(503)
            answer.headers["Retry-After"] = "30"
        SEEN.labels(via if via in FAMILIES else "other", str(answer.status_code)).inc()
        if answer.status_code >= 400:
            tell("receipt_refused", level="warning", channel=via if via in FAMILIES else "other", reason=str(answer.status_code))
        return answer

    return router


def told_of(request: Request, body: bytes, at: datetime) -> Told:
    """The request as channels read it; the tail is what follows the address of the kind of channel."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    tail = request.path_params.get("rest", "")
    return Told(method=request.method, now=at, tail=tail, query=dict(request.query_params), headers=headers, body=body)


class Ears:
    """The channels as they listen: whether or not anything may be sent, reports about what was sent before are taken."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._live = replace(app, settings=app.settings.model_copy(update={"sending": "live"}))
        self._opened: dict[tuple[str, str], Any] = {}

    def of(self, channel: Channel) -> Listening | None:
        """What reads reports about a channel; None where it cannot, or its account is missing."""
        key = channel.name, channel.via
        if key not in self._opened:
            try:
                self._opened[key] = self.app.adapters(self._live, channel)
            except Refused:
                return None
        adapter = self._opened[key]
        return adapter if hasattr(adapter, "parse") else None


def _answered(ears: Ears, via: str, rest: str, told: Told) -> Response:
    for channel, tail in _channels(ears.app, told.now, via, rest):
        adapter = ears.of(channel)
        if adapter is None:
            continue
        reply = adapter.parse(replace(told, tail=tail))
        if reply.status == 404 and via in BY_SECRET:
            continue  # the secret of another channel
        return _stored(ears.app, channel, reply, told)
    return _bare(404)


def _channels(app: App, at: datetime, via: str, rest: str) -> list[tuple[Channel, str]]:
    """The channels that may be meant, each with what follows in the address."""
    try:
        with app.work(at) as work:
            known = [c for c in work.project.channels.values() if c.via in FAMILIES.get(via, ())]
    except NotFound:
        return []
    if via in BY_SECRET:
        return [(one, rest) for one in known]
    name, _, tail = rest.partition("/")
    return [(one, tail) for one in known if one.name == name]


def _stored(app: App, channel: Channel, reply: Reply, told: Told) -> Response:
    """Keep what was said, and only then acknowledge it; it is applied after the answer has gone, or by the next beat."""
    later = None
    if reply.status < 400 and reply.facts and keep(app, channel.name, reply.facts, told.now, body=told.body):
        later = BackgroundTask(_apply, app, told.now)
    return Response(reply.body, reply.status, media_type=reply.content_type or None, background=later)


def _apply(app: App, at: datetime) -> None:
    with contextlib.suppress(Exception):  # what is stored is applied by the next beat
        apply_waiting(app, at)


def _bare(status: int) -> Response:
    return Response(status_code=status)
