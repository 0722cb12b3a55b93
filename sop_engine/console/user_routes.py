"""The route by which programs look a user up: levels, tags, open flows and consent, with personal values masked."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from sop_engine.actions.look_up import look_up, may_read
from sop_engine.actions.telling import tell
from sop_engine.app import App, Work
from sop_engine.console.answers import away, basic_user, refused, unauthorized
from sop_engine.core.errors import BadInput
from sop_engine.store.engine import reading


def user_router(app: App, now: Callable[[], datetime]) -> APIRouter:
    """The route on this engine."""
    router = APIRouter(redirect_slashes=False)

    @router.get("/v1/users", response_model=None)
    def users(request: Request, by: str = "id", value: str = "") -> JSONResponse:
        try:
            return _answer(app, now(), basic_user(request), by, value)
        except BadInput as error:
            return refused(400, "unknown_identity", str(error))
        except Exception as error:
            tell("call_failed", level="error", kind="users", error=type(error).__name__)
            return away()

    return router


def _answer(app: App, now: datetime, key: str, by: str, value: str) -> JSONResponse:
    with reading(app.engine) as tx:
        if not may_read(tx, key):
            return unauthorized()
        found = look_up(Work(app, tx, app.live(tx), now), by, value)
        if not found:
            return refused(404, "not_found", "no user has this value")
        return JSONResponse({"users": jsonable_encoder(found)}, headers={"Cache-Control": "no-store"})
