"""A passenger as a visitor describes them: checked, as codes, in words, and as an address.

`encoding` is the encoding.json beside the model: the codes of each feature with their labels.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode


class Passenger(NamedTuple):
    """pclass: 1 to 3. sex and fare: labels of the encoding. age: in years."""

    pclass: Any
    sex: Any
    age: Any
    fare: Any


def encode(passenger: Passenger, encoding: dict) -> dict[str, int]:
    """The code of each feature; ValueError says in a sentence which value is wrong and why."""
    codes = {
        "pclass": code_of(encoding["pclass"], "code", "pclass", passenger.pclass),
        "sex": code_of(encoding["sex"], "label", "sex", passenger.sex),
        "age_bin": age_group(encoding, passenger.age)["code"],
        "fare_bin": code_of(encoding["fare_bin"], "label", "fare type", passenger.fare),
    }
    return {feature: codes[feature] for feature in encoding["features"]}


def code_of(choices: list[dict], key: str, name: str, value: Any) -> int:
    """The code of the choice whose `key` is `value`."""
    for choice in choices:
        # Python takes True for 1
        if type(value) is type(choice[key]) and value == choice[key]:
            return choice["code"]
    known = ", ".join(repr(choice[key]) for choice in choices)
    raise ValueError(f"{name} is {value!r}, but must be one of {known}.")


def age_group(encoding: dict, age: Any) -> dict:
    """The age group of the encoding that an age in years belongs to."""
    groups = encoding["age_bin"]
    if type(age) in (int, float):
        for group in groups:
            if group["above"] < age <= group["up_to"]:
                return group
    youngest, oldest = groups[0]["above"], groups[-1]["up_to"]
    given = "missing" if age is None else repr(age)
    raise ValueError(f"age is {given}, but must be over {youngest} and at most {oldest} years.")


def in_words(encoding: dict, codes: dict[str, int]) -> dict[str, str]:
    """The words of each feature: {"pclass": "3rd class", "sex": "male", …}."""
    words = {}
    for feature, code in codes.items():
        choice = next(each for each in encoding[feature] if each["code"] == code)
        words[feature] = choice["words"]
    return words


def fare_choice(fare: dict) -> tuple[str, str]:
    """A fare type as the form shows it, "Low-medium · £7.91–14.45", and its label."""
    above, up_to = pounds(fare["above"]), pounds(fare["up_to"])
    if above and up_to:
        edges = f"£{above}–{up_to}"
    elif above:
        edges = f"over £{above}"
    else:
        edges = f"up to £{up_to}"
    words = fare["words"].removesuffix(" fare")
    return f"{capitalize(words)} · {edges}", fare["label"]


def pounds(edge: float | None) -> str:
    """An edge of a fare group, "" for none."""
    if edge is None:
        return ""
    return f"{edge:.2f}".removesuffix(".00")


def capitalize(text: str) -> str:
    """The text with its first letter in upper case; the others stay."""
    return text[:1].upper() + text[1:]


def to_address(passenger: Passenger) -> str:
    """What follows the question mark in the address of a passenger."""
    return urlencode(passenger._asdict())


def from_address(query: Mapping[str, str], default: Passenger) -> Passenger:
    """The passenger that an address names, not checked yet; what is missing is the default's."""
    given = {name: query[name] for name in Passenger._fields if name in query}
    passenger = default._replace(**given)
    return passenger._replace(pclass=number(passenger.pclass), age=number(passenger.age))


def number(text: Any) -> Any:
    """The number that a text says; anything else as it is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
