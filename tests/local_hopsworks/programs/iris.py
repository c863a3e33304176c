"""Iris flowers: a feature group, a feature view with a label, a classifier in the registry, and
batch inference."""

import os
import tempfile

import hopsworks
import joblib
import pandas as pd
from hsml.model_schema import ModelSchema
from hsml.schema import Schema
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

iris = load_iris(as_frame=True)
flowers = iris.frame.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
flowers["variety"] = [iris.target_names[number] for number in flowers.pop("target")]
flowers["flower_id"] = range(len(flowers))

project = hopsworks.login()
fs = project.get_feature_store()
iris_fg = fs.get_or_create_feature_group(
    name="iris", version=1, primary_key=["flower_id"], description="Iris flower dataset"
)
iris_fg.insert(flowers, write_options={"wait_for_job": False})
for feature in ("sepal_length", "petal_width"):
    iris_fg.update_feature_description(feature, f"The {feature.replace('_', ' ')} in cm")
assert (
    fs.get_feature_group("iris", 1).get_feature("petal_width").description
    == "The petal width in cm"
)

query = iris_fg.select_except(["flower_id"])
feature_view = fs.get_or_create_feature_view(
    name="iris",
    version=1,
    description="Read from Iris flower dataset",
    labels=["variety"],
    query=query,
)
X_train, X_test, y_train, y_test = feature_view.train_test_split(0.2)
assert len(X_train) == 120 and set(X_test) == {
    "sepal_length",
    "sepal_width",
    "petal_length",
    "petal_width",
}
classifier = KNeighborsClassifier(n_neighbors=2).fit(X_train, y_train.values.ravel())
accuracy = accuracy_score(y_test, classifier.predict(X_test))

registry = project.get_model_registry()
with tempfile.TemporaryDirectory() as folder:
    joblib.dump(classifier, f"{folder}/iris_model.pkl")
    model = registry.python.create_model(
        name="iris",
        metrics={"accuracy": accuracy},
        model_schema=ModelSchema(input_schema=Schema(X_train), output_schema=Schema(y_train)),
        input_example=X_train.sample(),
        description="Iris Flower Predictor",
    )
    model.save(folder)

best = registry.get_best_model("iris", "accuracy", "max")
loaded = joblib.load(os.path.join(best.download(), "iris_model.pkl"))
batch = feature_view.get_batch_data()
assert len(batch) == 150 and best.training_metrics["accuracy"] == accuracy
pd.DataFrame({"predicted": loaded.predict(batch)}).to_csv("latest.csv", index=False)
project.get_dataset_api().upload("latest.csv", "Resources/iris", overwrite=True)
print("done", round(accuracy, 1))
