"""The fixtures, on the stand-in for arangod."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from armadillo_pytest import ArmadilloError, Session


def version(session: Session) -> int:
    """The status of a request with the password of the session."""
    variables = session.variables
    login = f"{variables['ARANGO_USERNAME']}:{variables['ARANGO_PASSWORD']}"
    request = urllib.request.Request(
        variables["ARANGO_ENDPOINTS"].split(",")[0] + "/_api/version",
        headers={"Authorization": "Basic " + b64encode(login.encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(response.status)


@pytest.mark.parametrize(("theirs", "update"), [({"protocol": 2}, "update this Python package"), ({}, r"update the command \(.+\)")])
def test_another_version_is_told_what_to_update(tmp_path, theirs, update):
    card = tmp_path / "session.json"
    card.write_text(json.dumps(theirs))
    with pytest.raises(ArmadilloError, match=update):
        Session(str(card))


def test_a_single_server_answers(arango_single_server):
    assert version(arango_single_server) == 200


@pytest.mark.crash_test
def test_a_server_is_killed(arango_cluster):
    server = arango_cluster.server("dbserver-1")
    server.kill()
    assert server.status().state == "stopped"
    arango_cluster.server("dbserver-2").pause()


def test_the_next_test_finds_it_running(arango_cluster):
    assert {server.state for server in arango_cluster.servers()} == {"running"}
    assert len(arango_cluster.servers("agent")) == 3
    assert version(arango_cluster) == 200
    assert "ready for business" in arango_cluster.server("coordinator-1").log()


def test_servers_start_on_demand(arango_orchestrator):
    session = arango_orchestrator.start("cluster(agents = 1, links)")
    assert len(session.servers("agent")) == 1
    session.cut("dbserver-1", "agent-1")
    session.heal()


def test_a_cluster_of_ones_own_is_small(arango_cluster_function):
    roles = sorted(server.role for server in arango_cluster_function.servers())
    assert roles == ["agent", "coordinator", "dbserver"]


def test_errors_are_those_of_the_command(arango_single_server):
    with pytest.raises(ArmadilloError, match="no server named `single-2`; the servers are single-1"):
        arango_single_server.server("single-2").kill()
    with pytest.raises(ArmadilloError, match="there is no topology `triple`"):
        Session.start("triple")


def test_servers_end_with_the_program(arango_orchestrator):
    session = arango_orchestrator.start("single")
    pid = session.server("single-1").status().pid
    session.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(urllib.error.URLError):
        version(session)


def suite(pytester, text, *args):
    """Runs these tests in a process of their own."""
    pytester.makepyfile(text)
    # Where it is installed, it is loaded already.
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "armadillo_pytest.plugin", *args)


def test_a_crash_fails_its_test_and_no_other(pytester):
    result = suite(
        pytester,
        """
        import os, signal, time

        def test_crash(arango_single_server):
            os.kill(arango_single_server.server("single-1").status().pid, signal.SIGSEGV)
            while arango_single_server.server("single-1").status().state == "running":
                time.sleep(0.02)

        def test_after(arango_single_server):
            assert arango_single_server.server("single-1").status().health == "good"
        """,
        "--arangod=emulator",
    )
    # The body has passed, and the teardown says what it left.
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*crashed during this test: single-1*", "*run ????????; its files, with the logs*"])


def test_a_failure_names_the_files_of_its_servers(pytester):
    result = suite(
        pytester,
        """
        def test_passes(arango_single_server):
            print("files of the shared:", arango_single_server.files)

        def test_fails(arango_single_server, arango_orchestrator):
            own = arango_orchestrator.start("single")
            print("files:", arango_single_server.files, own.files)
            assert False

        def test_passes_too(arango_single_server_function):
            print("files of another:", arango_single_server_function.files)
        """,
        "--arangod=emulator",
        "-rP",
    )
    result.assert_outcomes(passed=2, failed=1)

    def printed(what):
        (line,) = [line for line in result.outlines if line.startswith(what)]
        return line.removeprefix(what).split()

    shared, own = printed("files:")
    named = [line for line in result.outlines if "its files, with the logs of the servers" in line]
    assert [line.rsplit(" ", 1)[1] for line in named] == [shared, own]
    assert list(Path(shared).glob("servers/*/single-1/log"))
    # Those of failed runs are kept longer.
    ended = [(Path(files) / "lock").read_text() for files in (shared, own, *printed("files of another:"))]
    assert ended == ["failed\n", "failed\n", "passed\n"]


def test_servers_of_two_deployments_have_names(arango_orchestrator):
    session = arango_orchestrator.start("single", "single")
    second = session.server("arangodb-2/single-1")
    second.kill()
    assert second.status().state == "stopped"
    assert session.server("arangodb/single-1").status().state == "running"


def test_markers_select(pytester):
    text = """
        def test_single(arango_single_server):
            pass

        def test_cluster(arango_cluster):
            assert len(arango_cluster.servers("dbserver")) == 2

        def test_either(arango_deployment):
            assert len(arango_deployment.servers()) > 1
        """
    result = suite(pytester, text, "--arangod=emulator", "--cluster", "--dbservers=2", "-m", "arango_cluster")
    result.assert_outcomes(passed=2, deselected=1)


def test_servers_do_not_outlive_a_killed_program(pytester):
    pid_file = pytester.path / "pids"
    script = pytester.makepyfile(
        f"""
        import os, time
        from armadillo_pytest import Session
        session = Session.start("single", flags=["--arangod=emulator"])
        open({str(pid_file)!r}, "w").write(f"{{session.server('single-1').status().pid}}")
        time.sleep(60)
        """
    )
    process = pytester.popen([sys.executable, str(script)])
    end = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    server = int(pid_file.read_text())
    process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{server}"):
        assert time.monotonic() < end
        time.sleep(0.02)
