"""Inserts into an online feature group and is killed on the way: online_killed.py WHERE.

`offline`: when the offline rows are written, `stream`: in the middle of the online ones, `never`.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from local_hopsworks import login

where = sys.argv[1]
group = (
    login()
    .get_feature_store()
    .get_or_create_feature_group("prices", version=1, primary_key=["id"], online_enabled=True)
)
wait = {"wait_for_online_ingestion": True}
group.insert(pd.DataFrame({"id": range(100), "price": 1.0, "note": "a"}), write_options=wait)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


from hsfs.core import delta_engine, kafka_engine  # noqa: E402  # which the SDK has imported now

save, produce = delta_engine.DeltaEngine._write_delta_rs_dataset, kafka_engine._kafka_produce
produced = 0


def saved(*arguments: Any, **options: Any) -> Any:
    result = save(*arguments, **options)
    if where == "offline":
        die()
    return result


def counted(producer: Any, *arguments: Any, **options: Any) -> None:
    global produced
    produce(producer, *arguments, **options)
    produced += 1
    if where == "stream" and produced == 60:
        producer.flush()
        die()


replaced: list[tuple[Any, str, Callable[..., Any]]] = [
    (delta_engine.DeltaEngine, "_write_delta_rs_dataset", saved),
    (kafka_engine, "_kafka_produce", counted),
]
for owner, name, function in replaced:
    setattr(owner, name, function)
group.insert(pd.DataFrame({"id": range(50, 150), "price": 2.0, "note": "b"}), write_options=wait)
