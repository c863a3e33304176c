"""The model's answer for one passenger: as a program gets it, and as the page shows it."""

from typing import Any, NamedTuple

from explanation import Explanation, explain
from model import Model
from page import render
from passenger import Passenger, age_group, capitalize, encode, in_words, to_address

FEATURES = {"pclass": "Class", "sex": "Gender", "age_bin": "Age", "fare_bin": "Fare type"}


class Step(NamedTuple):
    """A bar of the explanation: one feature moves the chance from one percentage to another."""

    feature: str
    words: str
    before: int
    after: int


def predict(model: Model, passenger: Passenger) -> dict[str, Any]:
    """The answer for a program; ValueError says in a sentence which value is wrong and why."""
    codes = encode(passenger, model.encoding)
    row = model.table.loc[tuple(codes.values())]
    explanation = explain(model.table, codes)
    return {
        "survived": int(row["prediction"]),
        "survival_probability": float(row["survival_probability"]),
        "average_probability": explanation.average,
        "explanation": explanation.shares,
        "age_group": age_group(model.encoding, passenger.age).words,
        "passengers_like_this": int(row["passengers"]),
        "of_them_survived": int(row["survived"]),
        "model_version": model.version,
    }


def show(model: Model, passenger: Passenger) -> tuple[str, str]:
    """The answer for a visitor, as HTML: the verdict, and why. ValueError as in predict."""
    answer = predict(model, passenger)
    words = in_words(model.encoding, encode(passenger, model.encoding))
    who = f"{words['sex']}, {passenger.age:g} ({words['age_bin']})"
    chance = percent(answer["survival_probability"])
    explanation = Explanation(answer["average_probability"], answer["explanation"])
    shown_verdict = render(
        "verdict",
        answer=answer,
        who=capitalize(f"{who}, {words['pclass']}, {words['fare_bin']}"),
        verdict=verdict(answer["survived"], answer["survival_probability"]),
        chance=chance,
        address=to_address(passenger),
    )
    shown_explanation = render(
        "explanation",
        answer=answer,
        average=percent(explanation.average),
        steps=steps(explanation, words),
        chance=chance,
    )
    return shown_verdict, shown_explanation


def verdict(survived: int, chance: float) -> str:
    """The prediction in plain words; chance is that of survival."""
    outcome = "survived" if survived else "died"
    certainty = max(chance, 1 - chance)
    if certainty >= 0.9:
        return f"Almost certainly {outcome}"
    if certainty >= 0.55:
        return f"Likely {outcome}"
    return f"A close call, {outcome} by a little"


def steps(explanation: Explanation, words: dict[str, str]) -> list[Step]:
    """The bars, one after the other from the average to the passenger's chance, in percent.

    The ends of the bars are rounded, not their lengths: so each begins where the last one ended.
    """
    chance = explanation.average
    bars = []
    for feature, share in explanation.shares.items():
        before, after = percent(chance), percent(chance + share)
        name = words[feature].removesuffix(" fare")  # the bar is titled "Fare type"
        bars.append(Step(FEATURES[feature], name, before, after))
        chance += share
    return bars


def percent(share: float) -> int:
    """A share from 0 to 1 in percent."""
    return round(100 * share)
