"""A predictor that needs what is not installed."""

import a_package_that_nobody_has


class Predict:
    def predict(self, inputs):
        return a_package_that_nobody_has.predict(inputs)
