"""splits_elsewhere.py HOME VIEW FRESH: prints the training part of a split, TRAIN before it, twice:
as a server of HOME reads the split of a view again, and as a server of FRESH makes it."""

import sys

import hopsworks

from local_hopsworks import Server
from tests.local_hopsworks.training_rows import fill, make_view


def train(home, split):
    with Server(home, project="tests") as server:
        project = hopsworks.login(
            host="127.0.0.1", port=server.port, project="tests", api_key_value=server.api_key
        )
        print("TRAIN", split(project.get_feature_store())[0]["x"].tolist())
        hopsworks.logout()


def split_anew(store):
    return make_view(store, fill(store), "fresh").train_test_split(test_size=0.3)


home, name, fresh = sys.argv[1:]
train(home, lambda store: store.get_feature_view(name, 1).get_train_test_split(1))
train(fresh, split_anew)
