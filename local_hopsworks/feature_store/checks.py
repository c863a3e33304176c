"""What Hopsworks refuses when something of the feature store is created or changed.

Its backend checks this (FeatureGroupInputValidation, FeatureViewInputValidator,
TrainingDatasetInputValidation, StatisticColumnController); the SDK itself does not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from local_hopsworks.errors import HopsworksError
from local_hopsworks.feature_store import errors
from local_hopsworks.offline import comparisons
from local_hopsworks.store import checked_name, is_name

LARGEST_VERSION = 2**31 - 1
LONGEST_DESCRIPTION = 256  # characters
_EVENT_TIMES = ("timestamp", "date", "bigint")
# The types of a feature: those with a name of their own, and those with others in brackets
_TYPE = re.compile(
    r"tinyint|smallint|int|bigint|float|double|string|boolean|binary|timestamp|date"
    r"|(decimal|char|varchar)(\(\d+(,\d+)?\))?|(array|map|struct|uniontype)<.+>"
)
_PARTITIONS = ("int", "bigint", "float", "double", "date", "string")
_NO_PARTITIONS = ("binary", "array", "struct", "map", "uniontype")
_TIME_SERIES = "TIME_SERIES_SPLIT"

Body = dict[str, Any]


def version(value: Any, what: str, code: int) -> None:
    """A version is a positive number of 32 bits, or left out."""
    if value is not None and not 1 <= value <= LARGEST_VERSION:
        raise HopsworksError(
            f"The version of the {what} must be from 1 to {LARGEST_VERSION}, not {value}.", code
        )


def description(text: Any, what: str) -> None:
    """A description may be missing, but not too long."""
    if text and len(text) > LONGEST_DESCRIPTION:
        raise HopsworksError(
            f"The description of the {what} has {len(text)} characters; "
            f"at most {LONGEST_DESCRIPTION} are allowed.",
            errors.ILLEGAL_DESCRIPTION,
        )


def statistics(config: Body | None, features: Collection[str]) -> None:
    """Statistics are of features that there are."""
    for name in (config or {}).get("columns") or []:
        if name not in features:
            raise HopsworksError(
                f"Statistics are wanted of {name[:80]!r}, which is no feature.",
                errors.ILLEGAL_STATISTICS_CONFIG,
            )


# --------------------------------------------------------------------------------------------------
# Feature groups


def feature_group(body: Body) -> list[Body]:
    """A feature group about to be created; returns its features."""
    name = checked_name(body.get("name"), "feature group")
    version(body.get("version"), f"feature group {name}", errors.ILLEGAL_FEATURE_GROUP_VERSION)
    description(body.get("description"), f"feature group {name}")
    features = schema(body.get("features"))
    for feature in features:
        if feature.get("defaultValue") is not None:
            raise HopsworksError(
                f"The feature {feature['name']!r} has a default value, "
                "which only features have that are appended later.",
                errors.ILLEGAL_DEFAULT_VALUE,
            )
    _event_time(body.get("eventTime"), features)
    time_to_live(body.get("ttl"))
    statistics(body.get("statisticsConfig"), [feature["name"] for feature in features])
    is_hudi = str(body.get("timeTravelFormat")).upper() == "HUDI"
    if is_hudi and not any(feature.get("primary") for feature in features):
        raise HopsworksError(
            f"Feature group {name} has the time travel format HUDI, which needs a primary key.",
            errors.PRIMARY_KEY_REQUIRED,
        )
    if is_hudi or body.get("type") == "streamFeatureGroupDTO":
        _partitions(features)
    _partitions_of_delta(features)
    return features


def schema(features: Any) -> list[Body]:
    """The features of a feature group: their names, types and descriptions."""
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise HopsworksError("features must be a list of features.")
    names = [checked_name(feature.get("name"), "feature") for feature in features]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise HopsworksError(
            f"The feature {min(twice)!r} occurs twice in the feature group.",
            errors.DUPLICATE_FEATURE,
        )
    for feature in features:
        description(feature.get("description"), f"feature {feature['name']}")
        _type(feature)
    return features


def _type(feature: Body) -> None:
    type_ = feature.get("type")
    if not type_:
        raise HopsworksError(
            f"The feature {feature['name']!r} has no type.", errors.FEATURE_TYPE_MISSING
        )
    if not _TYPE.fullmatch(_plain(type_)):
        raise HopsworksError(
            f"The feature {feature['name']!r} has the type {type_[:80]!r}, which is none.",
            errors.ILLEGAL_FEATURE_TYPE,
        )


def _plain(type_: str) -> str:
    return type_.lower().replace(" ", "")


def _event_time(name: str | None, features: list[Body]) -> None:
    if name is None:
        return
    types = {feature["name"]: _plain(feature["type"]) for feature in features}
    if name not in types:
        raise HopsworksError(
            f"The event time {name[:80]!r} is none of the features {', '.join(types)}.",
            errors.NO_EVENT_TIME,
        )
    if types[name] not in _EVENT_TIMES:
        raise HopsworksError(
            f"The event time {name!r} is {types[name]}; it must be {', '.join(_EVENT_TIMES[:-1])} "
            f"or {_EVENT_TIMES[-1]}.",
            errors.ILLEGAL_EVENT_TIME,
        )


def time_to_live(seconds: int | None) -> None:
    """A time to live is not negative: no row would be found online."""
    if seconds is not None and seconds < 0:
        raise HopsworksError(
            f"A time to live is a number of seconds from 0 on, not {seconds}.",
            errors.FEATURE_GROUP_NOT_CREATED,
        )


def _partitions(features: list[Body]) -> None:
    """Those of a group with time travel format HUDI, and of a stream group."""
    for feature in features:
        type_ = _plain(feature["type"])
        if feature.get("partition") and not type_.startswith(_PARTITIONS):
            raise HopsworksError(
                f"The partition key {feature['name']!r} is {type_}; with HUDI, and of a stream "
                f"group, it must be {', '.join(_PARTITIONS[:-1])} or {_PARTITIONS[-1]}.",
                errors.FEATURE_GROUP_NOT_CREATED,
            )


def _partitions_of_delta(features: list[Body]) -> None:
    """Hopsworks leaves these to Delta, which cannot write them, or reads back other bytes."""
    partitions = [feature for feature in features if feature.get("partition")]
    for feature in partitions:
        type_ = _plain(feature["type"])
        if type_.startswith(_NO_PARTITIONS):
            raise HopsworksError(
                f"The partition key {feature['name']!r} is {type_[:80]}, which Delta cannot "
                "partition by.",
                errors.FEATURE_GROUP_NOT_CREATED,
            )
    if partitions and len(partitions) == len(features):
        raise HopsworksError(
            "All features are partition keys; Delta needs one that is none.",
            errors.FEATURE_GROUP_NOT_CREATED,
        )


def changed_schema(before: list[Body], features: Any) -> list[Body]:
    """Features can be appended; of those that were there, only the description changes. Returns
    all."""
    after = {feature["name"]: feature for feature in schema(features)}
    for feature in before:
        name = feature["name"]
        if name not in after:
            raise _illegal_update(f"Features can be appended, not removed; {name!r} is missing.")
        if _identity(feature) != _identity(after[name]):
            raise _illegal_update(
                f"The feature {name!r} cannot get another type, or become a key or none."
            )
        after[name] = {**feature, "description": after[name].get("description")}
    known = {feature["name"] for feature in before}
    for name, feature in after.items():
        if name not in known and (feature.get("primary") or feature.get("partition")):
            raise _illegal_update(f"The feature {name!r} is appended, so it cannot be a key.")
        if name not in known and feature.get("defaultValue") is not None:
            comparisons.check_default(feature["defaultValue"], feature["type"], name)
    return list(after.values())


def _identity(feature: Body) -> tuple[Any, ...]:
    keys = bool(feature.get("primary")), bool(feature.get("partition"))
    return _plain(str(feature.get("type"))), *keys


def _illegal_update(message: str) -> HopsworksError:
    return HopsworksError(message, errors.ILLEGAL_FEATURE_GROUP_UPDATE)


# --------------------------------------------------------------------------------------------------
# Feature views


def feature_view(body: Body) -> None:
    """A feature view about to be created, before its query is planned."""
    name = checked_name(body.get("name"), "feature view")
    version(body.get("version"), f"feature view {name}", errors.ILLEGAL_VERSION)
    description(body.get("description"), f"feature view {name}")
    _query(name, body.get("query") or {})


def _query(name: str, query: Body) -> None:
    if not query.get("leftFeatures"):
        raise HopsworksError(
            f"The feature view {name} reads a feature group without selecting a feature of it.",
            errors.FEATURE_VIEW_NOT_CREATED,
        )
    for join in query.get("joins") or []:
        prefix = join.get("prefix")
        if prefix and not is_name(prefix):
            raise HopsworksError(
                f"The prefix of a join must be lower-case letters, digits and underscores, "
                f"the first a letter, not {prefix[:80]!r}.",
                errors.ILLEGAL_PREFIX,
            )
        _query(name, join["query"])


def roles(listed: Iterable[Body], features: Collection[tuple[int, str]]) -> None:
    """Labels and helper columns are features of the view, which are named by group and name."""
    for role in listed:
        if (role["featureGroupId"], role["name"]) in features:
            continue
        is_label = bool(role.get("label"))
        raise HopsworksError(
            f"The {'label' if is_label else 'helper column'} {role['name'][:80]!r} is no feature "
            "that the query selects.",
            errors.LABEL_NOT_FOUND if is_label else errors.HELPER_COLUMN_NOT_FOUND,
            404,
        )


# --------------------------------------------------------------------------------------------------
# Training data


def training_dataset(body: Body, event_time: str | None) -> None:
    """A training dataset about to be created; `event_time` is that of the view's first feature
    group."""
    version(body.get("version"), "training dataset", errors.ILLEGAL_VERSION)
    description(body.get("description"), "training dataset")
    splits = body.get("splits") or []
    names = [split["name"] for split in splits]
    for name in names:
        if not is_name(name):
            raise HopsworksError(
                f"A split's name is lower-case letters, digits and underscores, not {name[:80]!r}.",
                errors.ILLEGAL_SPLIT_NAME,
            )
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise HopsworksError(f"Two splits are called {min(twice)!r}.", errors.DUPLICATE_SPLIT_NAMES)
    train = body.get("trainSplit")
    if (train or names) and train not in names:
        raise HopsworksError(
            f"The training split {str(train)[:80]!r} is not one of the splits {', '.join(names)}.",
            errors.ILLEGAL_SPLIT_NAME,
        )
    if any(split.get("splitType") == _TIME_SERIES for split in splits):
        _time_series(splits, event_time)
    else:
        _shares(splits)


def _shares(splits: list[Body]) -> None:
    shares = [split.get("percentage") or 0 for split in splits]
    if any(share <= 0 for share in shares) or sum(shares) > 1 + 1e-6:
        raise HopsworksError(
            f"The splits must have shares above 0 that add up to at most 1, not {shares}.",
            errors.ILLEGAL_SPLIT_PERCENTAGE,
        )


def _time_series(splits: list[Body], event_time: str | None) -> None:
    if not event_time:
        raise HopsworksError(
            "A split by time needs an event time of the first feature group.", errors.NO_EVENT_TIME
        )
    until = None
    for split in sorted(splits, key=lambda split: split.get("startTime") or 0):
        start, end = split.get("startTime"), split.get("endTime")
        if start is None or end is None or end < start:
            raise _illegal_split(split, "must have a start, and an end that is not before it")
        if until is not None and start < until:
            raise _illegal_split(split, "begins before the one before it ends")
        until = end


def _illegal_split(split: Body, problem: str) -> HopsworksError:
    return HopsworksError(f"The split {split['name']!r} {problem}.", errors.ILLEGAL_TIME_SPLIT)
