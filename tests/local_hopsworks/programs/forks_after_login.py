"""Logs in and forks, once for each action: prints "did" and the result, or "told" and the error."""

import multiprocessing
import warnings

import pandas as pd

from local_hopsworks import login

warnings.simplefilter("ignore")  # of forks of a process with threads
project = login()
group = project.get_feature_store().get_or_create_feature_group("g", 1, primary_key=["id"])
group.insert(pd.DataFrame({"id": [1, 2]}))
group.read()


def attempt(action):
    try:
        print("did", action(), flush=True)
    except RuntimeError as error:
        print("told", error, flush=True)


actions = [
    group.read,
    lambda: group.insert(pd.DataFrame({"id": [3]})),
    login,
    lambda: project.get_dataset_api().exists("Resources"),
    project.get_feature_store,
]
for action in actions:
    child = multiprocessing.get_context("fork").Process(target=attempt, args=(action,))
    child.start()
    child.join(120)
    assert child.exitcode == 0, child.exitcode
print(len(group.read()), "rows in the parent")
