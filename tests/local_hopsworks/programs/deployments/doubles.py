"""A predictor that doubles numbers, and tells who it is."""

import os


class Predict:
    def __init__(self):
        print("loaded by", os.getpid(), flush=True)

    def predict(self, inputs):
        if inputs == [["who"]]:
            return {"predictions": [os.getpid()]}
        return [[2 * value for value in row] for row in inputs]
