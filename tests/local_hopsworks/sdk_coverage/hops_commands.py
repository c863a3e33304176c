"""The reading commands of the SDK's own command line, `hops`, and what each prints of a World."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from click.testing import CliRunner
from hopsworks.cli.main import cli
from outcomes import Row
from world import World

# As it is typed -> what must be in what it prints. The words in braces are names in the world
WORKING: dict[str, str] = {
    "agent list": "ENVIRONMENT",
    "context": "{group}",
    "project list": "{project}",
    "project info": "{project}",
    "search {group}": "{group}",
    "files list Resources": "{file}",
    "files download Resources/{file} --output {folder} --overwrite": "{folder}",
    "fg list": "{group}",
    "fg info {group}": "Primary key id",
    "fg features {group}": "x double",
    "fg preview {group}": "2026-01-05 00:00:00",
    "fg preview {online_group} --online": "2026-01-05 00:00:00",
    "fg stats {group}": "x 20 1 0 19 9.5",
    "fg tags {group}": 'colour "blue"',
    "fg keywords {group}": "reading",
    "fg lineage {group}": "{view}",
    "fv list": "{view}",
    "fv info {view}": "y bigint yes",
    "fv read {view} --n 3": "2026-01-03 00:00:00",
    "fv get {online_view} --entry id=1": "[1, datetime.datetime(2026, 1, 2, 0, 0)]",
    "fv tags {view}": 'colour "blue"',
    "fv keywords {view}": "reading",
    "fv lineage {view}": "{group}",
    "td list {view} 1": "train:0.8/test:0.2",
    "td read {view} 1 --td-version 1 --n 3": "2026-01-03 00:00:00",
    "td keywords {view} 1": "reading",
    "td lineage {view} 1": "{group}",
    "transformation list": "min_max_scaler",
    "model list": "{model}",
    "model info {model}": "accuracy",
    "model lineage {model}": "{view}",
    "model download {model} --output {folder}": "{folder}",
    "deployment list": "{deployment}",
    "deployment info {deployment}": "{model}",
    "deployment status {deployment}": "Running",
    "deployment schema {described}": "passed",
    "deployment logs {deployment}": "loaded",
    "deployment lineage {deployment}": "{model}",
    "deployment predict {deployment} --data {instances}": "[ [ 4 ] ]",
    "job list": "{job}",
    "job info {job}": "PYTHON",
    "job history {job}": "SUCCEEDED",
    "job logs {job} --stdout": "hello",
    "job schedule-info {job}": "0 0 3 * * ?",
    "job tags {job}": 'colour "blue"',
}
_NO_AGENT = "Agent 'agent' not found."
_NO_SUPERSET = "Superset is reachable only inside the cluster"
_NO_TRINO = "Trino package not found."
# What the SDK itself refuses, and what it says
REFUSED_BY_SDK: dict[str, str] = {
    "agent info agent": _NO_AGENT,
    "agent logs agent": _NO_AGENT,
    "agent query agent --data {instances}": _NO_AGENT,
    "fg search {group} --vector 1,2": "KNN search failed",  # an embedding index is refused
    "fg test-access {group}": "is not an external feature group",
    "sql {statement}": _NO_TRINO,
    "superset chart info 1": _NO_SUPERSET,
    "superset chart list": _NO_SUPERSET,
    "superset dashboard info 1": _NO_SUPERSET,
    "superset dashboard list": _NO_SUPERSET,
    "superset dataset info 1": _NO_SUPERSET,
    "superset dataset list": _NO_SUPERSET,
    "trino catalogs": _NO_TRINO,
    "trino describe catalog.schema.table": _NO_TRINO,
    "trino info": "loadbalancer_external_domain_trino",
    "trino query {statement}": _NO_TRINO,
    "trino schemas catalog": _NO_TRINO,
    "trino sql {statement}": _NO_TRINO,
    "trino tables catalog": _NO_TRINO,
}
# What the server refuses
REFUSED = (
    "alert fg list {group}",
    "alert fv list {view}",
    "alert get 1",
    "alert job get {job} 1",
    "alert job list {job}",
    "alert list",
    "alert receiver get receiver",
    "alert receiver list",
    "alert triggered",
    "app info app",
    "app list",
    "app logs app",
    "app url app",
    "datasource credentials show source",
    "datasource databases source",
    "datasource info source",
    "datasource list",
    "datasource preview source",
    "datasource tables source",
    "env list",
    "git provider list",
)
# Commands that change something, by their last word
CHANGING = {
    *("add-keyword", "add-tag", "append-features", "backfill", "clone", "compute", "create"),
    *("create-external", "delete", "deploy", "derive", "infer-metadata", "insert", "install"),
    *("mkdir", "redeploy", "register", "remove", "remove-keyword", "remove-tag", "run", "schedule"),
    *("set", "share", "start", "stop", "trigger", "unschedule", "unshare", "upload", "validate"),
    *("job describe", "project use"),
}
# Commands about this machine, or about a coding agent in a terminal of Hopsworks
ELSEWHERE = {"factory", "init", "login", "logout", "session", "setup", "skills", "update"}


_REFUSAL = re.compile(r"The embedded Hopsworks does not do this: (.*?) \(GET ")


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that reads, such as `fg info`."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        own = (*path, name)
        if own[0] in ELSEWHERE or "create" in path:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, own)
        elif not CHANGING.intersection({name, " ".join(own)}):
            yield " ".join(own)


def names(world: World) -> dict[str, str]:
    """The names of things to read."""
    world.group.add_tag("colour", "blue")
    world.view.add_tag("colour", "blue")
    world.job.add_tag("colour", "blue")
    world.group.add_keywords(["reading"])
    world.view.add_keywords(["reading"])
    world.view.add_training_dataset_keywords(1, ["reading"])
    world.job.run(await_termination=True)
    world.job.schedule("0 0 3 * * ?")
    return {
        "project": world.project.name,
        "group": world.group.name,
        "online_group": world.online_group.name,
        "view": world.view.name,
        "online_view": world.online_view.name,
        "model": world.model.name,
        "deployment": world.deployment.name,
        "described": _described(world),
        "instances": '{"instances": [[2]]}',
        "job": world.job.name,
        "file": world.new_file().rpartition("/")[2],
        "folder": str(world.new_place()),
        "statement": "SELECT 1",
    }


def _described(world: World) -> str:
    """A deployment with a schema."""
    options = {"default_predictor": True, "passed_features": ["x"]}
    return str(world.model.deploy(world.plain_name(), **options).name)


def rows(world: World) -> Iterator[Row]:
    """What becomes of each command."""
    known = names(world)
    lines = [*WORKING, *REFUSED_BY_SDK, *REFUSED]
    for command in commands():
        typed = [line for line in lines if f"{line} ".startswith(f"{command} ")]
        if not typed:
            yield Row(command, "fails", "nobody has written down how it is called")
        for line in typed:
            yield _tried(world, line, known)


def _tried(world: World, line: str, known: dict[str, str]) -> Row:
    command = re.sub(r"{(\w+)}", lambda match: match[1].upper(), line)
    arguments = [word.format(**known) for word in line.split(" ")]
    result = CliRunner().invoke(cli, arguments, obj={"project": world.project})
    printed = " ".join(result.output.split())
    refused = _REFUSAL.search(printed)
    if line in WORKING and result.exit_code == 0 and WORKING[line].format(**known) in printed:
        return Row(command, "works")
    if line in REFUSED and result.exit_code == 1 and refused:
        return Row(command, "refused", f"{refused[1]}.")
    if line in REFUSED_BY_SDK and result.exit_code == 1 and REFUSED_BY_SDK[line] in printed:
        remark = printed.removeprefix("Error: ").replace(known["group"], "GROUP")
        return Row(command, "refused by the SDK", remark)
    return Row(command, "fails", f"exit status {result.exit_code}: {printed}")
