"""A script without a predictor."""


def predict(inputs):
    return inputs
