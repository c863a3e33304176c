"""A predictor that triples numbers."""


class Predict:
    async def predict(self, inputs):
        return [[3 * value for value in row] for row in inputs]
