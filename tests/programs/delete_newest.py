"""Deletes the newest version of the model titanic, as its owner would to go back."""

from local_hopsworks import login

models = login().get_model_registry().get_models("titanic")
max(models, key=lambda model: model.version).delete()
