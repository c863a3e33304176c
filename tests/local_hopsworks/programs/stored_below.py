"""Everything that leads through the store's path: rows, time travel, training data, files,
models."""

import os
import sys

import pandas as pd

import local_hopsworks

project = local_hopsworks.login()
store = project.get_feature_store()
group = store.get_or_create_feature_group("mini", 1, primary_key=["pid"])
group.insert(pd.DataFrame({"pid": [1], "x": [0.5]}))
group.insert(pd.DataFrame({"pid": [2], "x": [1.5]}))
rows = [len(group.read()), len(group.filter(group.pid == 2).read())]
joined = group.select(["pid"]).join(group.select(["pid", "x"]), prefix="other_").read()
commits = len(group.commit_details())

view = store.create_feature_view("mini", group.select_all(), version=1)
version, _ = view.create_training_data(data_format="csv")
training = len(view.get_training_data(version)[0])
group.insert(pd.DataFrame({"pid": [3], "x": [2.5]}), overwrite=True)

os.chdir(sys.argv[1])
with open("file.txt", "w") as file:
    file.write("content")
uploaded = project.get_dataset_api().upload("file.txt", "Resources")
print(rows, len(joined), commits, training, len(group.read()), uploaded)
