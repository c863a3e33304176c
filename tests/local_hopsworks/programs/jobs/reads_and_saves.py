"""Logs in as any program does: counts the rows of a feature group and saves a model."""

from pathlib import Path

import hopsworks

project = hopsworks.login()
print("logged in to", project.name)
print("rows", len(project.get_feature_store().get_feature_group("counted", 1).read()))
Path("weights.txt").write_text("0.5")
project.get_model_registry().python.create_model("made_by_a_job").save("weights.txt")
