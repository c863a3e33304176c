"""The model in service as a deployment of Hopsworks, asked for one passenger by id.

make deployment                 # asks for the newest passenger
PASSENGER=7 make deployment     # asks for passenger 7

The passengers' features are put into the online feature store, where the deployment's predictor,
tools/titanic_predictor.py, looks them up. On your account the deployment goes on until you stop it;
on the Hopsworks of this repository it answers as long as one runs (make serve).
"""

import contextlib
import io
import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local_hopsworks import login
from titanic_batch_inference_pipeline import FEATURES

NAME = "titanic"  # of the deployment
ONLINE = "titanic_online"  # the feature group and the feature view
PREDICTOR = str(Path(__file__).with_name("titanic_predictor.py"))
KEY = "passenger_id"


def find_model(registry):
    """The newest registered model, which is in service."""
    models = registry.get_models("titanic")
    if not models:
        raise SystemExit("No model is registered yet. Run: make train")
    return max(models, key=lambda model: model.version)


def put_online(feature_store) -> list[int]:
    """Store the features of all passengers online; returns their ids."""
    passengers = feature_store.get_feature_group("titanic", 1).select([KEY, *FEATURES]).read()
    group = feature_store.get_or_create_feature_group(
        ONLINE,
        version=1,
        description="The features of all Titanic passengers, to be looked up by id",
        primary_key=[KEY],
        online_enabled=True,
    )
    group.insert(passengers, write_options={"wait_for_online_ingestion": True})
    feature_store.get_or_create_feature_view(ONLINE, version=1, query=group.select_all())
    return passengers[KEY].tolist()


def deploy(project, model):
    """The running deployment of a model: a new one, or the one there is with this model."""
    deployment = project.get_model_serving().get_deployment(NAME)
    if deployment is None:
        deployment = model.deploy(NAME, script_file=PREDICTOR)
    else:
        deployment.model_version = model.version
        deployment.script_file = PREDICTOR
        deployment.save()
    if not deployment.is_running():
        deployment.start()
    return deployment


def main(passenger: str | None) -> None:
    """Deploy the model, and print what it says of one passenger."""
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        project = login()
        model = find_model(project.get_model_registry())
        known = put_online(project.get_feature_store())
        wanted = max(known) if passenger is None else int(passenger)
        if wanted not in known:
            raise SystemExit(f"There is no passenger {wanted}.")
        deployment = deploy(project, model)
        answer = deployment.predict(inputs=[{KEY: wanted}])
    [found] = answer["predictions"]
    print(f"The deployment {NAME} serves version {model.version} of the model.")
    print(f"Passenger {wanted} survives with a probability of {found['survival_probability']:.0%}.")


if __name__ == "__main__":
    main(os.environ.get("PASSENGER"))
