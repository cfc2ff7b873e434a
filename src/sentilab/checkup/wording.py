"""How counts and names are put into sentences."""


def count(number: int, noun: str) -> str:
    """ "1 text", "2 texts"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(items: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def sentence_case(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]
