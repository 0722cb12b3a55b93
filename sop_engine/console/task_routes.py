"""The web address at which a colleague answers a task: looking changes nothing, a button does."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from sop_engine.actions.hear_back import apply_waiting, keep
from sop_engine.app import App
from sop_engine.channels.task import TaskLinks, answer_of, answered
from sop_engine.console.receipt_routes import Body, body_of
from sop_engine.console.task_page import plain_page, task_page
from sop_engine.store import whose
from sop_engine.store.repeating import is_no_fault_of_the_work

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
NOBODY = plain_page("没有这项任务", "There is no such task")
AWAY = plain_page("暂时无法登记，请稍后再试", "This cannot be noted just now; please try again soon")
STOPPING = ("stop_channel", "stop_all")


def task_router(app: App, now: Callable[[], datetime]) -> APIRouter:
    """The addresses `/t/{token}` on this engine."""
    router = APIRouter()

    @router.head("/t/{token}", include_in_schema=False)
    @router.get("/t/{token}", response_model=None)
    def show(token: str) -> Response:
        return _safely(lambda: _show(app, token))

    @router.post("/t/{token}")
    def answer(token: str, body: Annotated[Body, Depends(body_of)]) -> Response:
        return _safely(lambda: _answer(app, token, answered(body.whole), now()))

    return router


def _safely(do: Callable[[], tuple[str, int]]) -> Response:
    try:
        text, status = do()
    except Exception as error:
        if not is_no_fault_of_the_work(error):
            raise
        text, status = AWAY, 503
    return Response(text, status, HEADERS | ({"Retry-After": "30"} if status == 503 else {}), "text/html; charset=utf-8")


def _task(app: App, token: str) -> tuple[str, whose.Asked] | None:
    key = TaskLinks(keys=app.settings.signing_keys).key_of(token)
    if key is None:
        return None
    with app.transaction() as tx:
        task = whose.task_of(tx, key)
    return None if task is None else (key, task)


def _show(app: App, token: str) -> tuple[str, int]:
    found = _task(app, token)
    return (NOBODY, 404) if found is None else (task_page(found[1].text, found[1].state), 200)


def _answer(app: App, token: str, answer: str, at: datetime) -> tuple[str, int]:
    """Take the answer in, once; a task that is over takes no other, but what the customer wants no more of is always noted."""
    found = _task(app, token)
    if found is None:
        return NOBODY, 404
    key, task = found
    fact = answer_of(key, answer, at)
    if fact is None:
        return task_page(task.text, task.state), 400
    taken = task.state in ("open", "unconfirmed") or answer in STOPPING
    if taken:
        keep(app, task.channel or "*", [fact], at)
        apply_waiting(app, at)
        key, task = _task(app, token) or found
    return task_page(task.text, task.state, stops=answer == "refused" and taken, thanks=taken), 200
