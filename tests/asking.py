"""Asks a web application in the same process, one request after the other."""

import asyncio

import httpx
from fastapi import FastAPI


def ask(web: FastAPI, path: str) -> httpx.Response:
    """The answer to a GET; an error of ours is answered as the server would answer it."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=web, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://sop") as client:
            return await client.get(path)

    return asyncio.run(get())
