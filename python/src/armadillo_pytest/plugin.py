"""The pytest plugin: fixtures, options, markers."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, Generator, Iterator, Optional, Sequence

import pytest

from . import ArmadilloError, Session

MARKERS = {
    "arango_single": "runs on an ArangoDB single server; set automatically",
    "arango_cluster": "runs on an ArangoDB cluster; set automatically",
    "etcd": "runs on an etcd cluster; set automatically",
    "slow": "takes long",
    "stress_test": "puts servers under load",
    "crash_test": "kills or stops servers",
    "auth_required": "tests authentication and permissions",
    "cluster_coordination": "tests agents, plans and the roles in a cluster",
    "replication": "tests copies of data on several servers",
    "sharding": "tests data distributed over several servers",
    "failover": "tests that another server takes over",
    "smoke_test": "the first to run after a change",
    "regression": "was written for a defect",
    "performance": "measures",
}

#: The markers that a test has because of its fixtures.
OF_FIXTURES = {
    "arango_single_server": "arango_single",
    "arango_single_server_function": "arango_single",
    "arango_cluster": "arango_cluster",
    "arango_cluster_function": "arango_cluster",
    "etcd_cluster": "etcd",
}

#: Options that are passed on to the servers.
SIZES = {
    "--agents": "Number of agents of ArangoDB clusters.",
    "--dbservers": "Number of dbservers of ArangoDB clusters.",
    "--coordinators": "Number of coordinators of ArangoDB clusters.",
    "--etcd-members": "Number of members of etcd clusters.",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("armadillo", "clusters of ArangoDB and etcd")

    def add(name: str, **how: Any) -> None:
        try:
            group.addoption(name, **how)
        except ValueError:
            # Somebody else's option of that name is taken for ours.
            pass

    add("--armadillo", metavar="PATH", help="The armadillo command [default: ARMADILLO_BIN, or armadillo in PATH].")
    add("--cluster", action="store_true", help="Run tests with arango_deployment on a cluster, not on a single server.")
    for name, text in SIZES.items():
        add(name, metavar="N", type=int, help=text)
    add("--arangod", metavar="PATH", help="The arangod program, or `emulator`.")
    add("--etcd", metavar="PATH|VERSION", help="The etcd program, or a version of it.")
    add("--armadillo-flag", metavar="FLAG", action="append", default=[], help="A flag for `armadillo up`: --armadillo-flag=--tls.")


def pytest_configure(config: pytest.Config) -> None:
    for name, text in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {text}")
    named = config.getoption("--armadillo")
    if named:
        os.environ["ARMADILLO_BIN"] = named


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    of_deployment = "arango_cluster" if config.getoption("--cluster") else "arango_single"
    for item in items:
        fixtures: Sequence[str] = getattr(item, "fixturenames", ())
        for fixture in fixtures:
            marker = of_deployment if fixture == "arango_deployment" else OF_FIXTURES.get(fixture)
            if marker:
                item.add_marker(marker)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Names the files of the servers that a failed test had."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if not report.failed:
        return
    for session in sessions_of(item):
        session.failed()
        text = f"run {session.run}; its files, with the logs of the servers: {session.files}"
        if ("armadillo", text) not in report.sections:
            report.sections.append(("armadillo", text))


def sessions_of(item: pytest.Item) -> list[Session]:
    """Those that the fixtures of a test have."""
    values = (getattr(item, "funcargs", None) or {}).values()
    sessions = [value for value in values if isinstance(value, Session)]
    for value in values:
        if isinstance(value, Orchestrator):
            sessions += value.sessions
    return list({id(session): session for session in sessions}.values())


class Shared:
    """The deployments that tests share, each started when the first test needs it."""

    def __init__(self, config: pytest.Config) -> None:
        self._flags = flags(config)
        self._sessions: dict[str, Session] = {}
        self._around = Session.current()

    def get(self, topology: str) -> Session:
        """A healthy deployment of this topology."""
        if topology not in self._sessions:
            self._sessions[topology] = self._of_exec(topology) or Session.start(topology, flags=self._flags)
        return self._sessions[topology]

    def _of_exec(self, topology: str) -> Optional[Session]:
        """The one of ``armadillo exec``, if this process runs in it and its only deployment is of this kind."""
        if self._around is None:
            return None
        # `arangodb cluster(agents = 3, ..)`, `etcd cluster(members = 3)`.
        kind = {"etcd": "etcd cluster", "single": "arangodb single", "cluster": "arangodb cluster"}[topology]
        there = [one["topology"] for one in self._around.status()]
        return self._around if len(there) == 1 and there[0].startswith(kind) else None

    def settle(self, topology: str) -> None:
        """After a test: what it has stopped runs again, or the next test gets a new deployment."""
        session = self._sessions[topology]
        try:
            crashed = session.repair()
        except ArmadilloError as error:
            # The next test gets a new one, and not that of `armadillo exec`.
            del self._sessions[topology]
            self._around = None
            session.failed()
            session.stop()
            raise ArmadilloError(f"the servers cannot be used after this test: {error}") from error
        if crashed:
            raise ArmadilloError(f"crashed during this test: {', '.join(crashed)}")

    def end(self) -> None:
        end_all(list(self._sessions.values()))


def end_all(sessions: Sequence[Session]) -> None:
    """Stops all of them, whatever becomes of one."""
    with ExitStack() as stack:
        for session in sessions:
            stack.callback(session.stop)


def flags(config: pytest.Config) -> list[str]:
    """The flags for ``armadillo up``."""
    given: list[str] = []
    for name in [*SIZES, "--arangod", "--etcd"]:
        value = config.getoption(name)
        if value is not None:
            given.append(f"{name}={value}")
    more: list[str] = config.getoption("--armadillo-flag")
    return given + more


@pytest.fixture(scope="session")
def _armadillo_shared(pytestconfig: pytest.Config) -> Iterator[Shared]:
    shared = Shared(pytestconfig)
    yield shared
    shared.end()


def _shared(shared: Shared, topology: str) -> Iterator[Session]:
    yield shared.get(topology)
    shared.settle(topology)


@pytest.fixture
def arango_single_server(_armadillo_shared: Shared) -> Iterator[Session]:
    """An ArangoDB single server that tests share."""
    yield from _shared(_armadillo_shared, "single")


@pytest.fixture
def arango_cluster(_armadillo_shared: Shared) -> Iterator[Session]:
    """An ArangoDB cluster that tests share."""
    yield from _shared(_armadillo_shared, "cluster")


@pytest.fixture
def etcd_cluster(_armadillo_shared: Shared) -> Iterator[Session]:
    """An etcd cluster that tests share."""
    yield from _shared(_armadillo_shared, "etcd")


@pytest.fixture
def arango_deployment(_armadillo_shared: Shared, pytestconfig: pytest.Config) -> Iterator[Session]:
    """The cluster with ``--cluster``, otherwise the single server."""
    topology = "cluster" if pytestconfig.getoption("--cluster") else "single"
    yield from _shared(_armadillo_shared, topology)


class Orchestrator:
    """Starts deployments for one test."""

    def __init__(self, given: Sequence[str]) -> None:
        self._flags = list(given)
        self.sessions: list[Session] = []

    def start(self, *topologies: str, flags: Sequence[str] = ()) -> Session:
        """Starts ``"single"``, ``"cluster(dbservers = 5, links)"``, ``"etcd"``; several get one session."""
        session = Session.start(*topologies, flags=[*self._flags, *flags])
        self.sessions.append(session)
        return session

    def end(self) -> None:
        end_all(self.sessions)


@pytest.fixture
def arango_orchestrator(pytestconfig: pytest.Config) -> Iterator[Orchestrator]:
    """Starts deployments; they end with the test."""
    orchestrator = Orchestrator(flags(pytestconfig))
    yield orchestrator
    orchestrator.end()


@pytest.fixture
def arango_single_server_function(arango_orchestrator: Orchestrator) -> Session:
    """A new ArangoDB single server for one test."""
    return arango_orchestrator.start("single")


@pytest.fixture
def arango_cluster_function(arango_orchestrator: Orchestrator) -> Session:
    """A new ArangoDB cluster for one test, with one server of each role."""
    return arango_orchestrator.start("cluster(agents = 1, dbservers = 1, coordinators = 1, replication_factor = 1)")


def pytest_report_header(config: pytest.Config) -> Any:
    given = flags(config)
    return f"armadillo: {' '.join(given)}" if given else None
