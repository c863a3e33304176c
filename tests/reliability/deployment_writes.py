"""Everything that is done with a deployment, on a store with one that is to run and one that is
not."""

from __future__ import annotations

from typing import Any

from furnished import here, save_model, wait

SCRIPT = """
class Predict:
    def predict(self, inputs):
        return [[{factor} * value for value in row] for row in inputs]
"""


def deploy(project: Any, name: str) -> Any:
    model = project.get_model_registry().get_model("model", 1)
    with here(SCRIPT.format(factor=2), "script.py"):
        return model.deploy(name, script_file="script.py")


def furnish(project: Any) -> None:
    """What is in the store before each operation."""
    with here("first"):
        save_model(project)
    deploy(project, "off")
    deploy(project, "on")
    start(project, "on")


def deployment(project: Any, name: str) -> Any:
    return project.get_model_serving().get_deployment(name)


def await_status(found: Any, status: str) -> None:
    """The SDK's own waiting gives up after a number of looks, which take no time here."""
    while (state := found.get_state()).status != status:
        assert state.status != "Failed", state.condition.reason
        wait(0.05)


def start(project: Any, name: str) -> None:
    found = deployment(project, name)
    found.start(await_running=0)
    await_status(found, "Running")


def create_deployment(project: Any) -> None:
    deploy(project, "new")


def start_deployment(project: Any) -> None:
    start(project, "off")


def stop_deployment(project: Any) -> None:
    found = deployment(project, "on")
    found.predict(inputs=[[1]])
    found.stop(await_stopped=0)
    await_status(found, "Stopped")


def change_deployment(project: Any) -> None:
    found = deployment(project, "on")
    while found.get_state().status == "Starting":  # by `serve`; the SDK refuses changes meanwhile
        wait(0.05)
    with here(SCRIPT.format(factor=3), "script.py"):
        found.script_file = "script.py"
        found.save(await_update=0)
    await_status(found, "Running")


def delete_deployment(project: Any) -> None:
    deployment(project, "on").delete(force=True)


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        create_deployment,
        start_deployment,
        stop_deployment,
        change_deployment,
        delete_deployment,
    )
}
