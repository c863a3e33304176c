"""The Kafka endpoint is killed again and again under load: what it has acknowledged stays there."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.local_hopsworks.online.kafka import TOPIC, Endpoint

KILLED = Path(__file__).parents[1] / "local_hopsworks" / "programs" / "online_killed.py"


class Ledger:
    """What a producer has sent, and what was acknowledged."""

    def __init__(self, endpoint: Endpoint, first: int, **options: object) -> None:
        self._endpoint, self.next = endpoint, first
        self._producer = Producer(endpoint.config(linger_ms=2, **options))
        self.acknowledged: set[int] = set()

    def send_for(self, seconds: float) -> None:
        """Send rows for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._producer.produce(
                    TOPIC,
                    key=str(self.next),
                    value=self._endpoint.row(self.next, "x" * 100),
                    headers=self._endpoint.headers,
                    callback=self._acknowledge,
                )
            except BufferError:
                self._producer.poll(0.01)
            else:
                self._producer.poll(0)
                self.next += 1

    def finish(self) -> int:
        """Wait until everything is sent; how many rows have no answer."""
        return self._producer.flush(60)

    def _acknowledge(self, error: object, message: object) -> None:
        if error is None:
            self.acknowledged.add(int(message.key()))  # type: ignore[attr-defined]


@pytest.fixture
def endpoint(tmp_path):
    started = Endpoint(tmp_path)
    yield started
    started.close()


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.reliability)])
def test_no_acknowledged_row_is_lost(endpoint, record, kills):
    chance = random.Random(kills)
    for number in range(kills):
        first = 1_000_000 * number
        ledger = Ledger(endpoint, first, enable_idempotence=str(number % 2 == 0).lower())
        record(faults_injected=1)
        ledger.send_for(chance.uniform(0.2, 0.8))
        endpoint.kill()
        acknowledged = set(ledger.acknowledged)
        lost = acknowledged - endpoint.keys_there()
        record(rows_lost=len(lost))
        assert not lost
        endpoint.start()
        assert ledger.finish() == 0
        sent = set(range(first, ledger.next))
        assert ledger.acknowledged == sent and sent <= endpoint.keys_there()
        record(survived=1)


@pytest.mark.reliability
def test_program_killed_anywhere_in_an_insert_can_be_repaired(run, record, tmp_path):
    from local_hopsworks.check import check

    for where in ("offline", "stream"):
        store = tmp_path / where
        record(faults_injected=1)
        done = run(sys.executable, KILLED, where, env={"LOCAL_HOPSWORKS_HOME": str(store)})
        assert done.returncode == -9
        assert check(store)[1] and check(store, repair=True)[1] == []
        record(survived=1)
