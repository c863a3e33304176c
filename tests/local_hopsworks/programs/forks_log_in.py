"""Forks twice without having logged in; each fork does, and prints its project."""

import multiprocessing

from local_hopsworks import login


def work():
    print(login().name, flush=True)


for _ in range(2):
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(120)
    assert child.exitcode == 0, child.exitcode
