"""Run by two workers of pytest-xdist under `armadillo exec`, while a suite in Rust runs on the same cluster: all three meet there."""

import json
import os
import time
import urllib.error
import urllib.request
from base64 import b64encode

import pytest

from armadillo_pytest import Session

#: Who comes: the two workers, and the suite in `crates/selftest/tests/beside.rs`.
GUESTS = {"gw0", "gw1", "rust"}

#: How long to wait for the others, in seconds.
LIMIT = 180.0


def ask(session, method, path, body=None):
    """A request with the login of the session; its status and the answer."""
    variables = session.variables
    login = f"{variables['ARANGO_USERNAME']}:{variables['ARANGO_PASSWORD']}"
    request = urllib.request.Request(
        variables["ARANGO_ENDPOINTS"].split(",")[0] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Basic " + b64encode(login.encode()).decode()},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def make(session, path, body):
    """Makes a thing that the other worker may have made."""
    status, answer = ask(session, "POST", path, body)
    assert status in (200, 201, 202, 409), answer


def has_come(session, guest):
    return ask(session, "GET", f"/_db/meeting/_api/document/guests/{guest}")[0] == 200


@pytest.mark.parametrize("seat", ["left", "right"])
def test_all_meet(arango_cluster, seat):
    """Stays until all have come: they all run at that moment, on this cluster."""
    (own,) = arango_cluster.status()
    (around,) = Session.current().status()
    assert own["id"] == around["id"]
    make(arango_cluster, "/_api/database", {"name": "meeting"})
    make(arango_cluster, "/_db/meeting/_api/collection", {"name": "guests"})
    me = os.environ["PYTEST_XDIST_WORKER"]
    status, answer = ask(arango_cluster, "POST", "/_db/meeting/_api/document/guests", {"_key": me, "seat": seat})
    assert status in (201, 202), answer
    end = time.monotonic() + LIMIT
    for guest in GUESTS:
        while not has_come(arango_cluster, guest):
            assert time.monotonic() < end, f"{guest} has not come"
            time.sleep(0.02)
