"""What tests of the embedded Hopsworks share."""

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def make_group(feature_store):
    """Make a feature group with these rows, or insert them into it."""

    def make(name, data, **options):
        group = feature_store.get_or_create_feature_group(
            name=name, version=1, **{"primary_key": ["id"], **options}
        )
        frame = pd.DataFrame(data)
        for timed in frame.select_dtypes(["datetime", "datetimetz"]):
            frame[timed] = frame[timed].dt.as_unit("us")  # the SDK warns of nanoseconds
        group.insert(frame)
        return group

    return make
