"""Things of the SDK to call methods on: a small project with rows, a view, training data, a model,
files and a job."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import hopsworks
import pandas as pd
from hopsworks.core.dataset_api import DatasetApi
from hopsworks.core.job_api import JobApi

DOUBLES = Path(__file__).resolve().parents[1] / "programs" / "deployments" / "doubles.py"
START = pd.Timestamp("2026-01-01").as_unit("us")


class World:
    """An attribute is made when a call first needs it; a `new_…` is another one, for calls that
    change or end it."""

    def __init__(self) -> None:
        self.project = hopsworks.login()
        self.store = self.project.get_feature_store()
        self.registry = self.project.get_model_registry()
        self.files: DatasetApi = self.project.get_dataset_api()
        self.jobs: JobApi = self.project.get_job_api()
        self.serving = self.project.get_model_serving()
        self.secrets = hopsworks.get_secrets_api()
        self.kafka = self.project.get_kafka_api()
        self.folder = Path(tempfile.mkdtemp())
        self._numbers = itertools.count(1)

    def name(self, prefix: str = "thing") -> str:
        return f"{prefix}_{next(self._numbers)}"

    def rows(self, count: int = 20) -> pd.DataFrame:
        times = [START + pd.Timedelta(days=day) for day in range(count)]
        numbers = [float(number) for number in range(count)]
        return pd.DataFrame(
            {"id": range(count), "at": times, "x": numbers, "y": [0, 1] * (count // 2)}
        )

    def new_group(self, rows: pd.DataFrame | None = None, **options: Any) -> Any:
        options = {"version": 1, "primary_key": ["id"], "event_time": "at", **options}
        group = self.store.create_feature_group(self.name("group"), **options)
        group.insert(self.rows() if rows is None else rows)
        return group

    @cached_property
    def group(self) -> Any:
        return self.new_group()

    @cached_property
    def online_group(self) -> Any:
        group = self.new_group(self.rows(2), online_enabled=True)
        group.insert(self.rows(), write_options={"wait_for_online_ingestion": True})
        return group

    @cached_property
    def ingestion(self) -> Any:
        return self.online_group.get_latest_online_ingestion()

    @cached_property
    def query(self) -> Any:
        return self.group.select_all()

    def new_view(self, **options: Any) -> Any:
        return self.store.create_feature_view(
            self.name("view"), self.query, version=1, labels=["y"], **options
        )

    @cached_property
    def view(self) -> Any:
        view = self.new_view()
        view.create_training_data(data_format="csv")
        view.create_train_test_split(test_size=0.2, data_format="csv")
        view.create_train_validation_test_split(
            validation_size=0.2, test_size=0.2, data_format="csv"
        )
        return view

    @cached_property
    def served_group(self) -> Any:
        group = self.new_group(online_enabled=True)
        options = {"wait_for_online_ingestion": True}
        group.insert(self.rows(), storage="online", write_options=options)
        return group

    @cached_property
    def online_view(self) -> Any:
        """One whose feature vectors are looked up, `[id, at]`; x is a helper column."""
        view = self.store.create_feature_view(
            self.name("view"),
            self.served_group.select_all(),
            version=1,
            labels=["y"],
            inference_helper_columns=["x"],
        )
        view.init_serving(1)
        return view

    @cached_property
    def training_dataset(self) -> Any:
        """One of its own: those of a feature view have no methods."""
        return self.store.create_training_dataset(self.name("dataset"), 1, data_format="csv")

    def new_file(self, text: str = "text") -> str:
        path = self.folder / f"{self.name('file')}.txt"
        path.write_text(text)
        return str(self.files.upload(str(path), "Resources"))

    def new_folder(self) -> str:
        return str(self.files.mkdir(f"Resources/{self.name('folder')}"))

    def unsaved_model(self) -> Any:
        return self.registry.python.create_model(
            self.name("model"), metrics={"accuracy": 0.9}, feature_view=self.view
        )

    def new_model(self) -> Any:
        artefact = self.folder / self.name("artefact")
        artefact.mkdir()
        (artefact / "weights.txt").write_text("1 2 3")
        model = self.unsaved_model()
        model.save(str(artefact))
        return model

    @cached_property
    def model(self) -> Any:
        return self.new_model()

    def plain_name(self) -> str:
        """As deployments have it: without underscores."""
        return self.name("deployment").replace("_", "")

    def new_place(self) -> Path:
        """A new folder on disk."""
        place = self.folder / self.name("place")
        place.mkdir()
        return place

    def local_script(self) -> Path:
        """A predictor that doubles numbers, on disk."""
        path = self.folder / f"{self.name('predictor')}.py"
        shutil.copy(DOUBLES, path)
        return path

    def new_script(self) -> str:
        return str(self.files.upload(str(self.local_script()), "Resources"))

    def new_deployment(self) -> Any:
        return self.model.deploy(self.plain_name(), script_file=self.new_script())

    @cached_property
    def deployment(self) -> Any:
        """One that runs."""
        deployment = self.new_deployment()
        deployment.start(await_running=60)
        return deployment

    def new_job(self) -> Any:
        path = self.folder / f"{self.name('script')}.py"
        path.write_text("print('hello')")
        script = self.files.upload(str(path), "Resources")
        return self.jobs.create_job(
            self.name("job"), {**self.jobs.get_configuration("PYTHON"), "appPath": script}
        )

    @cached_property
    def job(self) -> Any:
        return self.new_job()
