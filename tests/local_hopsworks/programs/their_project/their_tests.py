"""Tests of a project that uses the fixtures of local_hopsworks."""

import os
import socket
from pathlib import Path

import hopsworks
import pandas as pd

homes: list[Path] = []
ports: list[int] = []


def pipeline():
    store = hopsworks.login().get_feature_store()
    group = store.get_or_create_feature_group("prices", version=1, primary_key=["hour"])
    group.insert(pd.DataFrame({"hour": range(3)}))


def test_pipeline_fills_the_tests_own_store(hopsworks_project, local_hopsworks_server):
    pipeline()
    assert len(hopsworks_project.get_feature_store().get_feature_group("prices", 1).read()) == 3
    homes.append(local_hopsworks_server.store.home)
    ports.append(local_hopsworks_server.port)


def test_next_test_starts_from_nothing(hopsworks_project, local_hopsworks_server):
    assert hopsworks_project.get_feature_store().get_feature_groups("prices") == []
    assert local_hopsworks_server.store.home not in homes and not homes[0].exists()


def test_the_port_is_free_again(local_hopsworks_server):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", ports[0]))


def test_who_asks_for_nothing_gets_nothing():
    assert "HOPSWORKS_API_KEY" not in os.environ
