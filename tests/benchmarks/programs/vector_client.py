"""A program that asks for feature vectors over and over; test_feature_vectors.py starts some at
once.

python vector_client.py sql|rest VECTORS CALLS      Hopsworks, as the environment names it
python vector_client.py FOLDER VECTORS CALLS        Feast's repository; with Feast's Python

It says "ready" once it has asked for some, waits for a line, and prints as JSON the ms of each call
and the ms of this program's own CPU that a call takes.
"""

import json
import sys
import time

ROWS = 10_000
WARM = 20  # calls before those that count


def hopsworks_vectors(how, vectors):
    """A function that asks the SDK for vectors of these ids."""
    import hopsworks

    view = hopsworks.login().get_feature_store().get_feature_view("bench_vectors", 1)
    view.init_serving(1, init_sql_client=how == "sql", init_rest_client=how == "rest")
    if vectors == 1:
        return lambda ids: view.get_feature_vector({"id": ids[0]})
    return lambda ids: view.get_feature_vectors([{"id": number} for number in ids])


def feast_vectors(folder):
    """A function that asks Feast for vectors of these ids."""
    from feast import FeatureStore

    store = FeatureStore(repo_path=folder)
    features = [f"rows:{name}" for name in ("x0", "x1", "x2", "x3")]
    return lambda ids: store.get_online_features(
        features=features, entity_rows=[{"id": number} for number in ids]
    ).to_dict()


def main():
    how, vectors, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    ask = hopsworks_vectors(how, vectors) if how in ("sql", "rest") else feast_vectors(how)
    milliseconds, cpu = [], 0.0
    for call in range(WARM + calls):
        if call == WARM:
            print("ready", flush=True)
            sys.stdin.readline()
            cpu = time.process_time()
        ids = [(call * 37 + number * 101) % ROWS for number in range(vectors)]
        start = time.perf_counter()
        found = ask(ids)
        milliseconds.append((time.perf_counter() - start) * 1000)
        assert found, ids
    cpu = (time.process_time() - cpu) * 1000 / calls
    print("MEASURED" + json.dumps({"calls": milliseconds[WARM:], "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
