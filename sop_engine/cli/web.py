"""The command `sop web`: serves health, metrics, the API and the pages behind links in messages, until it is told to end."""

import signal
import socket
from typing import Annotated

import typer

from sop_engine.cli.opening import HERE, Folder, open_engine_of
from sop_engine.core.errors import Refused


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(web)


def web(
    project: Folder = HERE,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="The port; 0 takes any that is free.")] = 8070,
) -> None:
    """Serve the API under /v1, the pages behind links (/u, /c, /t), and /healthz, /readyz and /metrics.

    The API asks for a key ('sop keys') or a signature, the pages behind links for the link itself. Let the public reach these alone,
    behind a proxy that speaks https; the rest is for your monitoring. It answers also while the database is away, and before a project
    was applied. What readers say on the pages is never lost: it waits in a file.

    \b
    Examples:
      sop web
      sop web --host 0.0.0.0 --port 8070
    """
    import uvicorn

    from sop_engine.actions.telling import begin_telling
    from sop_engine.console.pages import build

    app = open_engine_of(project, hurried=True)
    begin_telling(app.settings.log, "json")
    listener = _listen(host, port)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _sign, _frame: None)  # uvicorn ends by itself and then raises the signal once more
    typer.echo(f"serving http://{_shown(listener)}/v1, /healthz, /readyz and /metrics. Ctrl-C ends it.")
    config = uvicorn.Config(build(app), log_config=None, access_log=False, timeout_graceful_shutdown=10, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])
    typer.echo("ended")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Refused(f"cannot listen at {host}, port {port}: {reason}. Take another with --host and --port.") from error


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
