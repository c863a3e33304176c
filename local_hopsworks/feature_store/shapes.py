"""The shapes of the bodies about the feature store; see http/shapes.py."""

from __future__ import annotations

from local_hopsworks.expectations.shapes import SUITE
from local_hopsworks.http.shapes import Shape
from local_hopsworks.tags.shapes import TAGS

STATISTICS_CONFIG = {"enabled": bool, "columns": [str]}
FEATURE = {
    "name!": str, "type": str, "description": str, "primary": bool, "partition": bool,
    "offlineOnly": bool, "onlineType": str,
}  # fmt: skip
FUNCTION = {
    "version": int,
    # Without what must be there, the SDK could not read anything that the function is attached to
    "hopsworksUdf!": {
        "name!": str,
        "sourceCode!": str,
        "outputTypes!": [("string", "bigint", "double", "boolean", "timestamp", "date")],
        "transformationFeatures!": [str],
        "executionMode!": ("DEFAULT", "PANDAS", "PYTHON"),
        "outputColumnNames": [str],
    },
}
FEATURE_GROUP = {
    "name": str,
    "version": int,
    "type": str,
    "features": [FEATURE],
    "eventTime": str,
    "description": str,
    "tags": TAGS,
    "statisticsConfig": STATISTICS_CONFIG,
    "parents": [{"id!": int, "name!": str, "version!": int}],
    "expectationSuite": SUITE,
    "notificationTopicName": str,
    "topicName": str,
    "transformationFunctions": [FUNCTION],
    "onlineEnabled": bool,
    "onlineConfig": dict,
    "ttl": int,
    "ttlEnabled": bool,
}
CONDITION = {"feature!": {"name!": str, "featureGroupId": int}, "condition!": str}
LOGIC: dict[str, Shape] = {"type": str, "leftFilter": CONDITION, "rightFilter": CONDITION}
LOGIC |= {"leftLogic": LOGIC, "rightLogic": LOGIC}
FILTER = {**LOGIC, "feature": CONDITION["feature!"], "condition": str}  # either of them
NAMED = [{"name!": str}]
QUERY: dict[str, Shape] = {
    "leftFeatureGroup!": {"id!": int}, "leftFeatures": NAMED, "leftFeatureGroupStartTime": int,
    "leftFeatureGroupEndTime": int, "filter": FILTER, "limit": int,
}  # fmt: skip
QUERY["joins"] = [
    {"query!": QUERY, "on": NAMED, "leftOn": NAMED, "rightOn": NAMED, "type": str, "prefix": str}
]
FEATURE_VIEW = {
    "name": str,
    "version": int,
    "description": str,
    "query!": QUERY,
    "tags": TAGS,
    "transformationFunctions": [FUNCTION],
    "features": [{"name!": str, "featuregroup": {"id!": int}}],
}
TRAINING_DATASET = {
    "version": int,
    "trainingDatasetType": str,
    "dataFormat": str,
    "statisticsConfig": STATISTICS_CONFIG,
    "seed": int,
    "dataSource": dict,
    "extraFilter": FILTER,
    "tags": TAGS,
    "description": str,
    "trainSplit": str,
    "splits": [
        {"name!": str, "percentage": float, "splitType": str, "startTime": int, "endTime": int}
    ],
}
_OF_FEATURES = [{"featureName!": str}]
STATISTICS = {
    "computationTime": int,
    "rowPercentage": float,
    "beforeTransformation": bool,
    "windowStartCommitTime": int,
    "windowEndCommitTime": int,
    "featureDescriptiveStatistics": _OF_FEATURES,
    "splitStatistics": [{"name!": str, "featureDescriptiveStatistics!": _OF_FEATURES}],
}
