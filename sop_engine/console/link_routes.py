"""The address of tracked links: leads to where the message said, and to nowhere else."""

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI, Request, Response

from sop_engine.actions.clicking import follow
from sop_engine.app import App
from sop_engine.core.links import Visit, header_of

LONGEST = 200  # characters of a token
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def add_to(web: FastAPI, app: App, now: Callable[[], datetime]) -> None:
    """Add the address."""

    @web.head("/c/{token}", include_in_schema=False)
    @web.get("/c/{token}", response_model=None)
    def click(token: str, request: Request) -> Response:
        if len(token) > LONGEST:
            return Response(status_code=404, headers=HEADERS)
        found = follow(app, token, Visit(request.method, dict(request.headers)), now())
        more = {"Location": header_of(found.target)} if found.target else {}
        return Response(status_code=found.status, headers={**HEADERS, **more})
