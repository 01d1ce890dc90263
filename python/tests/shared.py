"""Run by `armadillo exec cluster`: the cluster is that of exec, the single server one of this process."""

import os

from armadillo_pytest import Session


def ids(session):
    return {deployment["id"] for deployment in session.status()}


def test_the_cluster_is_that_of_exec(arango_cluster):
    assert ids(arango_cluster) == ids(Session.current())
    assert arango_cluster.variables["ARANGO_ENDPOINTS"] == os.environ["ARANGO_ENDPOINTS"]


def test_another_server_is_started(arango_single_server):
    assert not ids(arango_single_server) & ids(Session.current())


def test_a_server_is_repaired_after_its_test(arango_cluster):
    arango_cluster.server("dbserver-1").kill()


def test_all_servers_run(arango_cluster):
    assert {server.state for server in arango_cluster.servers()} == {"running"}
