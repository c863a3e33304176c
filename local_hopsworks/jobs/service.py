"""Jobs, their executions and schedules, as a service; see http/services.py."""

from __future__ import annotations

from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.http.services import ServiceDescription
from local_hopsworks.jobs import executions, jobs, runner, schedules
from local_hopsworks.jobs.check import faults


def _recover(hopsworks: Hopsworks) -> None:
    runner.recover(hopsworks.store, hopsworks.metadata)


def _run_schedules(hopsworks: Hopsworks) -> None:
    hopsworks.part(runner.Runner).every(1, lambda: schedules.run_due(hopsworks))


SERVICE = ServiceDescription(
    routes=[*jobs.routes, *executions.routes, *schedules.routes],
    refuses={
        r"/executions/\d+/": "this with an execution (starting, stopping, logs and deleting work)"
    },
    check=faults,
    on_start=_recover,
    on_serve=_run_schedules,
)
