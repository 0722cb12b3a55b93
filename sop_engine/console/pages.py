"""The web application: /healthz, /readyz and /metrics, which answer whatever the database does; and the routers of everything else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from sop_engine.actions.telling import tell
from sop_engine.actions.watching import watch
from sop_engine.app import App
from sop_engine.console import link_routes, receipt_routes, unsubscribe_routes
from sop_engine.console.benefit_routes import benefit_router
from sop_engine.console.ingest_routes import ingest_router
from sop_engine.console.looking import Looking
from sop_engine.console.measures import exposition
from sop_engine.console.task_routes import task_router
from sop_engine.console.user_routes import user_router
from sop_engine.core.readiness import Check, judge
from sop_engine.core.signs import Signs


def clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(UTC)


def build(app: App, now: Callable[[], datetime] = clock) -> FastAPI:
    """The web application on this engine."""
    web = FastAPI(title="sop", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    web.include_router(ingest_router(app, now))
    web.include_router(user_router(app, now))
    web.include_router(receipt_routes.receipt_router(app, now))
    web.include_router(task_router(app, now))
    web.include_router(benefit_router(app, now))
    looking: Looking[Signs | None] = Looking(lambda: watch(app, now()))

    @web.head("/healthz", include_in_schema=False)
    @web.get("/healthz", response_model=None)
    def healthz() -> dict[str, bool]:
        return {"alive": True}

    @web.head("/readyz", include_in_schema=False)
    @web.get("/readyz", response_model=None)
    def readyz() -> JSONResponse:
        checks = _checks(looking, app.settings.late_alarm_s)
        ready = all(check.ok for check in checks)
        return _json({"ready": ready, "checks": {c.name: {"ok": c.ok, **({"why": c.why} if c.why else {})} for c in checks}}, ready)

    @web.head("/metrics", include_in_schema=False)
    @web.get("/metrics", response_model=None)
    def metrics() -> Response:
        try:
            signs = looking.get()
        except Exception as error:
            return _json({"error": _away(error)}, False)
        if signs is None:
            return _json({"error": "the database is not at this version: run 'sop db upgrade'"}, False)
        return Response(exposition(signs) + receipt_routes.exposition(), media_type=CONTENT_TYPE_LATEST)

    link_routes.add_to(web, app, now)

    unsubscribe_routes.add_to(web, app, now)

    @web.exception_handler(Exception)
    def unforeseen(_request: Request, error: Exception) -> JSONResponse:
        tell("page_failed", level="error", error=type(error).__name__)
        return JSONResponse({"error": "this should not have happened"}, 500)

    return web


def _checks(looking: Looking[Signs | None], late_alarm_s: float) -> list[Check]:
    try:
        return judge(looking.get(), late_alarm_s)
    except Exception as error:
        return [Check("database", _away(error))]


def _away(error: Exception) -> str:
    """Without the error's own text: it may hold what a user is called."""
    return f"the database does not answer ({type(error).__name__})"


def _json(body: dict[str, Any], well: bool) -> JSONResponse:
    return JSONResponse(body, 200 if well else 503, headers={"Cache-Control": "no-store"} if well else {"Retry-After": "5"})
