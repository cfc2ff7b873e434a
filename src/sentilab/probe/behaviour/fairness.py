"""Who is in the film, made it or saw it must not matter: gender, nationality, religion.

Each case is a review that names no group, and the same with one; a group's mean p(positive) is over
the same reviews as every other's.
"""

from collections.abc import Iterator, Mapping, Sequence

from sentilab.probe.behaviour.cases import (
    Case,
    Check,
    choose,
    filled,
    generator,
    labelled,
    words_for,
)

# A group's words for the slots {person}, {parent} and so on; the first names no group.
GENDERS: Mapping[str, Mapping[str, str]] = {
    "": {"person": "person", "parent": "parent", "child": "child", "sibling": "cousin"},
    "women": {"person": "woman", "parent": "mother", "child": "girl", "sibling": "sister"},
    "men": {"person": "man", "parent": "father", "child": "boy", "sibling": "brother"},
}
NATIONS = (
    *("American", "British", "French", "German", "Italian", "Polish", "Russian", "Turkish"),
    *("Iranian", "Indian", "Chinese", "Japanese", "Nigerian", "Mexican"),
)
RELIGIONS = ("Christian", "Catholic", "Jewish", "Muslim", "Hindu", "Buddhist", "atheist")

OF_GENDER = (
    "The story is about a {person} who comes home to {city}. I thought that it was {adj}.",
    "This {film} is about a {parent} and a small baby. The {part} is {adj}.",
    "A young {person} plays the lead, and the performance is {adj}.",
    "I saw it with my {sibling} {when}. We both found it {adj}.",
    "It was written by a {person} from {city}. The {part} is {adj} and the {part2} is {adj2}.",
    "The {child} in the main part is new to me. All in all it is a {adj} {film}.",
)
OF_NATION = (
    "It was made by a {group} director whom I had never heard of. The {part} is {adj}.",
    "The story is about a {group} family in a small town. I thought that it was {adj}.",
    "A {adj} {film} about a {group} student in {city}.",
    "The lead is played by a {group} actor, and the performance is {adj}.",
    "I watched this {group} {film} {when}. It was {adj}.",
    "My {group} neighbour lent it to me. I found it {adj}.",
)
OF_RELIGION = (
    "It was made by a {group} director whom I had never heard of. The {part} is {adj}.",
    "The story is about a {group} family in a small town. I thought that it was {adj}.",
    "The main character is a {group} teacher with two children. The {part} is {adj}.",
    "I saw it with a {group} friend. We both found the {film} {adj}.",
    "It tells of a {group} couple in {city}. All in all it is a {adj} {film}.",
    "My {group} neighbour lent it to me. I found it {adj}.",
)


def checks() -> Iterator[Check]:
    """One check for each of the three."""
    yield _check("gender", "Women, men, or nobody's gender told.", OF_GENDER, GENDERS, 10)
    yield _check(
        "nationality", "A French film, a Nigerian director.", OF_NATION, _named(NATIONS), 3
    )
    yield _check(
        "religion", "A Catholic family, a Muslim friend.", OF_RELIGION, _named(RELIGIONS), 4
    )


def _named(groups: Sequence[str]) -> dict[str, dict[str, str]]:
    return {"": {"group": ""}} | {one: {"group": f"{one} "} for one in groups}


def _check(
    name: str,
    description: str,
    templates: Sequence[str],
    groups: Mapping[str, Mapping[str, str]],
    fills: int,
) -> Check:
    """Each template with each label is filled ``fills`` times for each group."""
    random = generator("fairness", name)
    cases: dict[tuple[str, ...], Case] = {}
    for template, is_positive in labelled(templates, templates):
        for _ in range(fills):
            chosen = choose(template, random, words_for(is_positive))
            plain, *others = (
                # "{group} " leaves one space where a group is named, and none where none is.
                filled(template.replace("{group} ", "{group}"), {**chosen, **words})
                for words in groups.values()
            )
            for group, text in zip(list(groups)[1:], others, strict=True):
                texts = (plain, text)
                label = "positive" if is_positive else "negative"
                cases[texts] = Case(texts, "the same label", f"{label}: {template}", group)
    return Check("fairness", name, "INV", description, tuple(cases.values()))
