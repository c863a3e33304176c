"""A passenger as a visitor describes them: checked, as codes, in words, and as an address.

`encoding` is the encoding.json beside the model: what the codes of each feature mean in words,
{"sex": {"0": "male", "1": "female"}, …}, and the edges of the age and fare groups.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlencode


class Passenger(NamedTuple):
    """pclass: 1 to 3. sex: "male" or "female". age: in years. fare: as fare_types says them."""

    pclass: Any
    sex: Any
    age: Any
    fare: Any


class AgeGroup(NamedTuple):
    """Ages over `above`, and up to and including `up_to`."""

    code: int
    words: str
    above: int
    up_to: int


def encode(passenger: Passenger, encoding: dict) -> dict[str, int]:
    """The code of each feature; ValueError says in a sentence which value is wrong and why."""
    classes = {int(code): int(code) for code in encoding["words"]["pclass"]}
    sexes = {words: int(code) for code, words in encoding["words"]["sex"].items()}
    fares = {fare: code for code, fare in enumerate(fare_types(encoding))}
    return {
        "pclass": code_of(classes, "pclass", passenger.pclass),
        "sex": code_of(sexes, "sex", passenger.sex),
        "age_bin": age_group(encoding, passenger.age).code,
        "fare_bin": code_of(fares, "fare type", passenger.fare),
    }


def code_of(choices: dict[Any, int], name: str, value: Any) -> int:
    """The code of the choice that a value is."""
    for choice, code in choices.items():
        # Python takes True for 1
        if type(value) is type(choice) and value == choice:
            return code
    known = ", ".join(repr(choice) for choice in choices)
    raise ValueError(f"{name} is {value!r}, but must be one of {known}.")


def age_group(encoding: dict, age: Any) -> AgeGroup:
    """The age group that an age in years belongs to."""
    edges = encoding["age_edges"]
    if type(age) in (int, float):
        for code, (above, up_to) in enumerate(pairwise(edges)):
            if above < age <= up_to:
                return AgeGroup(code, encoding["words"]["age_bin"][str(code)], above, up_to)
    given = "missing" if age is None else repr(age)
    raise ValueError(f"age is {given}, but must be over {edges[0]} and at most {edges[-1]} years.")


def fare_types(encoding: dict) -> list[str]:
    """The choices of the fare, in the order of their codes: "low", "low-medium", …"""
    return [words.removesuffix(" fare") for words in encoding["words"]["fare_bin"].values()]


def in_words(encoding: dict, codes: dict[str, int]) -> dict[str, str]:
    """The words of each feature: {"pclass": "3rd class", "sex": "male", …}."""
    return {feature: encoding["words"][feature][str(code)] for feature, code in codes.items()}


def fare_choices(encoding: dict) -> list[tuple[str, str]]:
    """The fare types, each as the form shows it, "Low-medium · £7.91–14.45", and as it is."""
    edges = [f"{edge:.2f}".removesuffix(".00") for edge in encoding["fare_edges"]]
    between = [f"£{above}–{up_to}" for above, up_to in pairwise(edges)]
    ranges = [f"up to £{edges[0]}", *between, f"over £{edges[-1]}"]
    types = fare_types(encoding)
    return [(f"{capitalize(fare)} · {ranges[code]}", fare) for code, fare in enumerate(types)]


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
