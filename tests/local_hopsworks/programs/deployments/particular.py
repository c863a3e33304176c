"""A predictor that each request tells what to do."""

import os
import time
from datetime import date

import numpy as np
import pandas as pd

RESULTS = {
    "array": lambda: np.array([[1, 2], [3, 4]]),
    "scalar": lambda: [np.float32(0.5), np.int64(7), np.bool_(True)],
    "not a number": lambda: [float("nan"), float("inf"), 1.0],
    "series": lambda: pd.Series([1.5, None]),
    "object": lambda: {"label": "yes", "scores": np.array([0.25])},
    "date": lambda: [date(2026, 1, 31)],
    "no JSON": lambda: [object()],
}


class Predict:
    def predict(self, inputs):
        [wish] = inputs[0]
        if wish == "raise":
            raise ValueError("there is no such passenger")
        if wish == "sleep":
            print("asleep", flush=True)
            time.sleep(60)
        if wish == "end":
            os._exit(3)
        if wish == "print":
            for number in range(35_000):
                print(f"line {number:6} " + "x" * 100)
            return [[os.getpid()]]
        return RESULTS[wish]()
