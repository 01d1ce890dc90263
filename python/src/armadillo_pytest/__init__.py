"""Clusters for tests in Python, by the ``armadillo`` command.

    with Session.start("etcd") as session:
        session.server("member-1").kill()
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
import time
from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional, Sequence

__all__ = ["ArmadilloError", "Server", "ServerState", "Session"]

#: How long servers may take to start, in seconds.
START_LIMIT = 600.0

#: How long an operation on a server may take, in seconds.
OPERATION_LIMIT = 120.0

#: How long a deployment may take to be healthy again, in seconds.
HEALTHY_LIMIT = 60.0

#: The variable that names the session a command runs in.
SESSION = "ARMADILLO_SESSION"


#: The version of what the command and this package say to each other.
PROTOCOL = 1


class ArmadilloError(Exception):
    """Something was not done; the message is that of the command."""


@dataclass(frozen=True)
class ServerState:
    """How a server is at one moment."""

    name: str
    role: str
    #: ``running``, ``stopped``, ``paused``, ``crashed``, ...
    state: str
    pid: Optional[int]
    memory_bytes: Optional[int]
    up_seconds: Optional[int]
    #: ``good``, or what is wrong.
    health: str
    #: The groups that it leads.
    leads: Sequence[str]
    #: ``host:port`` by the name of the port.
    endpoints: Mapping[str, str]

    @classmethod
    def read(cls, server: Mapping[str, Any]) -> "ServerState":
        """From what ``armadillo ps --json`` prints of a server, which may be more."""
        return cls(**{field.name: server[field.name] for field in fields(cls)})


def _end(process: subprocess.Popen[str]) -> None:
    """Tells it to end, and waits; the servers end with it."""
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        # It has ended already, and what was still to be written is lost.
        pass
    for insist in (process.terminate, process.kill):
        try:
            process.wait(OPERATION_LIMIT)
            return
        except subprocess.TimeoutExpired:
            insist()
    process.wait(OPERATION_LIMIT)


def executable() -> str:
    """The ``armadillo`` command."""
    return os.environ.get("ARMADILLO_BIN", "armadillo")


class Server:
    """A server of a session. Each operation returns when it has taken effect."""

    def __init__(self, session: "Session", name: str) -> None:
        self._session = session
        self.name = name

    def __repr__(self) -> str:
        return f"<server {self.name}>"

    def status(self) -> ServerState:
        """How it is now."""
        for deployment in self._session.status():
            for server in deployment["servers"]:
                if self.name in (server["name"], f"{deployment['name']}/{server['name']}"):
                    return ServerState.read(server)
        raise ArmadilloError(f"no server named `{self.name}`")

    def kill(self) -> None:
        """SIGKILL."""
        self._session.call("kill", self.name)

    def stop(self) -> None:
        """Stops it gracefully."""
        self._session.call("stop", self.name)

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        self._session.call("start", self.name)

    def restart(self) -> None:
        """Stops it gracefully, starts it and waits until it is ready."""
        self._session.call("restart", self.name)

    def pause(self) -> None:
        """Freezes it: it keeps its connections and answers nothing."""
        self._session.call("pause", self.name)

    def resume(self) -> None:
        """Lets it go on after :meth:`pause`."""
        self._session.call("resume", self.name)

    def log(self) -> str:
        """What it has logged, across its restarts."""
        return self._session.call("logs", self.name)


class Session:
    """Deployments that are up."""

    def __init__(self, path: str, process: Optional[subprocess.Popen[str]] = None) -> None:
        self._path = path
        self._process = process
        self._has_failed = False
        with open(path, encoding="utf-8") as file:
            self._card: dict[str, Any] = json.load(file)
        theirs = self._card.get("protocol", 0)
        if theirs != PROTOCOL:
            update = "this Python package" if theirs > PROTOCOL else f"the command ({executable()})"
            raise ArmadilloError(f"the armadillo command speaks protocol {theirs}, and this package {PROTOCOL}: update {update}")

    @classmethod
    def start(cls, *topologies: str, flags: Sequence[str] = ()) -> "Session":
        """Starts deployments: ``"etcd"``, ``"cluster(dbservers = 5, links)"``. They end with this process, however it does."""
        command = [executable(), "up", "--json", *flags, "--", *topologies]
        environment = {name: value for name, value in os.environ.items() if name != SESSION}
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                # Ctrl-C is for the tests; the servers end with them.
                start_new_session=True,
            )
        except OSError as error:
            raise ArmadilloError(f"cannot run {command[0]}: {error}") from error
        said: list[str] = []
        # Somebody must read what is said, or the process waits for that.
        reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)  # type: ignore[arg-type]
        reader.start()
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], START_LIMIT)
            line = process.stdout.readline() if ready else ""
            if line:
                return cls(json.loads(line)["session"], process)
        except BaseException:
            _end(process)
            raise
        _end(process)
        reader.join(OPERATION_LIMIT)
        why = "".join(said).strip()
        raise ArmadilloError(why or f"{command[0]} did not start the servers within {START_LIMIT:.0f} s")

    @classmethod
    def current(cls) -> Optional["Session"]:
        """The session of ``armadillo exec`` that this process runs in, if it does."""
        path = os.environ.get(SESSION)
        return cls(path) if path else None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def variables(self) -> Mapping[str, str]:
        """How any client reaches the servers: ``ARANGO_ENDPOINTS``, ``ETCDCTL_ENDPOINTS``, ... Some are secrets."""
        variables: Mapping[str, str] = self._card["variables"]
        return variables

    @property
    def run(self) -> str:
        """The id of the run that holds the servers."""
        return os.path.basename(os.path.dirname(self._path))

    @property
    def files(self) -> str:
        """The directory with the files of that run. The logs of servers are below ``servers``."""
        files: str = self._card["files"]
        return files

    def failed(self) -> None:
        """Something failed: the files of the run are kept as those of a failed one, if this process has started it."""
        self._has_failed = True

    def stop(self) -> None:
        """Stops the servers, unless somebody else has started them."""
        if self._process is None:
            return
        if self._has_failed and self._process.poll() is None:
            assert self._process.stdin is not None
            # It is read when standard input is closed.
            self._process.stdin.write("failed\n")
            self._has_failed = False
        _end(self._process)

    def call(self, *words: str) -> str:
        """Has ``armadillo`` do something with this session; returns what it printed."""
        command = [executable(), *words]
        environment = {**os.environ, SESSION: self._path}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=OPERATION_LIMIT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ArmadilloError(f"cannot run {command[0]}: {error}") from error
        if done.returncode != 0:
            raise ArmadilloError(done.stderr.strip())
        return done.stdout

    def status(self) -> list[dict[str, Any]]:
        """Every deployment with its servers, as ``armadillo ps --json`` prints them."""
        runs: list[dict[str, Any]] = json.loads(self.call("ps", "--json"))
        if not runs:
            raise ArmadilloError("the servers have been stopped")
        deployments: list[dict[str, Any]] = runs[0]["deployments"]
        return deployments

    def servers(self, role: Optional[str] = None) -> list[ServerState]:
        """How all servers are, or those of a role."""
        all_servers = (ServerState.read(server) for one in self.status() for server in one["servers"])
        return [server for server in all_servers if role in (None, server.role)]

    def server(self, name: str) -> Server:
        """A server by its name. Whether there is one is known when something is done to it."""
        return Server(self, name)

    def cut(self, server: str, other: Optional[str] = None) -> None:
        """Cuts a server off from all others, or from one; needs a topology with ``links``."""
        self.call("cut", server, *([other] if other else []))

    def heal(self) -> None:
        """Ends every fault of the links."""
        self.call("heal")

    def wait_healthy(self, limit: float = HEALTHY_LIMIT) -> None:
        """Waits until all servers are good and every group has a leader."""
        end = time.monotonic() + limit
        while True:
            deployments = self.status()
            if all(one["healthy"] for one in deployments):
                return
            if time.monotonic() > end:
                wrong = [
                    f"{server['name']}: {server['health']}"
                    for one in deployments
                    for server in one["servers"]
                    if server["health"] != "good"
                ] + [complaint for one in deployments for complaint in one["complaints"]]
                raise ArmadilloError(f"not healthy after {limit:.0f} s: {'; '.join(wrong)}")
            time.sleep(0.05)

    def repair(self) -> list[str]:
        """Heals links, resumes what was paused, starts what was stopped, and waits until all is healthy. Returns the servers that
        crashed."""
        if any("links" in one["topology"] for one in self.status()):
            self.heal()
        servers = self.servers()
        crashed = [server.name for server in servers if server.state == "crashed"]
        for server in servers:
            if server.state == "paused":
                self.server(server.name).resume()
            elif server.state in ("stopped", "crashed"):
                self.server(server.name).start()
        self.wait_healthy()
        return crashed
