"""Says how the API answers and who asks: JSON with a code, never a redirect and never a 500; and the key a request comes with."""

import base64
import binascii
from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import JSONResponse

AWAY_S = 5
HEADERS = "authorization, content-type, x-retry-count"


def refused(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> JSONResponse:
    """An answer that is no success: a fixed word for programs, a sentence for people."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse({"code": code, "message": message}, status, headers=headers)


def unauthorized() -> JSONResponse:
    """The key is missing, unknown, revoked, or opens something else."""
    return refused(401, "unauthorized", "this key does not open this. Send it as the user name of Basic authorization")


def away() -> JSONResponse:
    """Nothing is known to be stored: the same call may come again."""
    return refused(503, "unavailable", "this cannot be done just now: come back", retry_after_s=AWAY_S)


def basic_user(request: Request) -> str:
    """The user name of Basic authorization; empty for anything else."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def allowed(request: Request, origins: str) -> Mapping[str, str]:
    """The headers that let a page of this origin read the answer; none for others, which are answered all the same."""
    origin = request.headers.get("origin", "")
    listed = [one.strip().rstrip("/") for one in origins.split(",") if one.strip()]
    if not origin or not ("*" in listed or origin in listed):
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Expose-Headers": "Retry-After"}


def preflight(request: Request, origins: str) -> JSONResponse:
    """What a browser asks before it sends: 200, for Segment's clients take nothing else."""
    headers = dict(allowed(request, origins))
    if "Access-Control-Allow-Origin" in headers:
        headers |= {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": HEADERS, "Access-Control-Max-Age": "86400"}
    return JSONResponse({}, headers=headers)


def with_origin(answer: JSONResponse, request: Request, origins: str) -> JSONResponse:
    """The same answer, readable by the pages that may."""
    for name, value in allowed(request, origins).items():
        answer.headers[name] = value
    return answer
