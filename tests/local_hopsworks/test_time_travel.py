"""Time travel: a feature group as of a time, and what changed since; the real SDK asks."""

import datetime
import time

import pytest
from hopsworks.client.exceptions import FeatureStoreException

from tests.local_hopsworks.reading import rows

UTC = datetime.timezone.utc


@pytest.fixture(scope="module")
def travelled(make_group):
    """A group of three commits (insert 1-3; change 2, insert 4; insert 5) and the ms at which each
    was done."""
    done = []
    for data in (
        {"id": [1, 2, 3], "x": [1, 2, 3]},
        {"id": [2, 4], "x": [22, 4]},
        {"id": [5], "x": [5]},
    ):
        group = make_group("travelled", data)
        done.append(max(group.commit_details(limit=1)))
        time.sleep(0.02)  # commits are told apart by milliseconds
    return group, done


def values(query):
    return {row["id"]: row["x"] for row in rows(query)}


def moment(milliseconds):
    return datetime.datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_as_of_reads_the_rows_of_that_time(travelled):
    group, done = travelled
    assert values(group.select_all().as_of(moment(done[0]))) == {1: 1, 2: 2, 3: 3}
    assert values(group.select_all().as_of(moment(done[1]))) == {1: 1, 2: 22, 3: 3, 4: 4}
    assert values(group.select_all().as_of(moment(done[2] + 60_000))) == {
        1: 1,
        2: 22,
        3: 3,
        4: 4,
        5: 5,
    }


def test_as_of_a_time_before_the_first_commit_says_so(travelled):
    group, done = travelled
    with pytest.raises(
        FeatureStoreException, match="No commits found for featuregroup travelled_1 up to 20"
    ):
        group.select_all().as_of(moment(done[0] - 1)).read()


@pytest.mark.parametrize("time_", ["1960-01-01", "1970-01-01"])
def test_times_up_to_1970_are_times_before_the_first_commit(travelled, time_):
    group, _ = travelled
    with pytest.raises(FeatureStoreException, match=f"travelled_1 up to {time_}"):
        group.select_all().as_of(time_).read()
    changes = rows(group.select_all().as_of(None, exclude_until=time_))
    assert sorted((row["id"], row["x"]) for row in changes) == [
        (1, 1), (2, 2), (2, 22), (3, 3), (4, 4), (5, 5),
    ]  # fmt: skip


def test_changes_between_two_commits_are_new_rows_and_new_images(travelled):
    group, done = travelled
    first, second, third = map(moment, done)
    assert values(group.select_all().as_of(second, exclude_until=first)) == {2: 22, 4: 4}
    assert values(group.select_all().as_of(third, exclude_until=first)) == {2: 22, 4: 4, 5: 5}
    assert values(group.select_all().as_of(None, exclude_until=second)) == {5: 5}
    assert rows(group.select_all().as_of(None, exclude_until=third)) == []


def test_as_of_applies_to_each_side_of_a_join(travelled, make_group):
    group, done = travelled
    names = make_group("travel_names", {"id": [1, 2, 4], "word": ["one", "two", "four"]})
    query = names.select_all().join(group.select(["x"]).as_of(moment(done[0])), join_type="inner")
    assert rows(query) == [{"id": 1, "word": "one", "x": 1}, {"id": 2, "word": "two", "x": 2}]
