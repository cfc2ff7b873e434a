"""Which of a model's labels means "positive"."""

from collections.abc import Sequence

from sentilab.probe.store import NotApplicable

NAMES = (
    ("negative", "positive"),
    ("neg", "pos"),
    ("0", "1"),
    ("bad", "good"),
    ("rotten", "fresh"),
)


def positive_label(label_names: Sequence[str]) -> int:
    """The number of the label that means "positive".

    Raises NotApplicable for other than two labels, and for names that do not say which it is.
    """
    known = ", ".join(f"{bad} and {good}" for bad, good in NAMES)
    if len(label_names) != 2:
        raise NotApplicable(
            f"This model answers with {len(label_names)} labels ({', '.join(label_names)}); what is "
            "asked here has two answers, negative and positive."
        )
    folded = [one.strip().casefold() for one in label_names]
    for bad, good in NAMES:
        if sorted(folded) == sorted((bad, good)):
            return folded.index(good)
    raise NotApplicable(
        f'Which of the labels "{label_names[0]}" and "{label_names[1]}" is the positive one cannot be '
        f"told. Known are {known}; name the labels of the data so, and train again."
    )
