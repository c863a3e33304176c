"""Logs in on four threads at once: prints the rows that each stored, and the number of servers."""

import threading

import pandas as pd

from local_hopsworks import login

counts: list[int] = []


def work(number):
    store = login().get_feature_store()
    group = store.get_or_create_feature_group(f"g{number}", 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    counts.append(len(group.read()))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
servers = [thread for thread in threading.enumerate() if thread.name == "hopsworks-rest"]
print(counts, len(servers))
