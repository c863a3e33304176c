"""Trains and cross-validates as the training pipeline does, on the CSV and without a Hopsworks."""

from titanic_feature_pipeline import TITANIC_CSV, encode, make_encoding, read_passengers
from titanic_training_pipeline import (
    FEATURES,
    LABEL,
    SETTINGS,
    GradientBoostingClassifier,
    cross_validate,
)

passengers = read_passengers(TITANIC_CSV)
rows = encode(passengers, make_encoding(passengers))
GradientBoostingClassifier(**SETTINGS).fit(rows[FEATURES], rows[LABEL])
cross_validate(rows)
