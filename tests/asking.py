"""Asks a web application in the same process, one request after the other."""

import asyncio
from collections.abc import Mapping

import httpx
from fastapi import FastAPI


def ask(web: FastAPI, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer to a request; an error of ours is answered as the server would answer it, and no redirect is followed."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=web, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://sop") as client:
            return await client.request(method, path, headers=dict(headers or {}))

    return asyncio.run(get())
