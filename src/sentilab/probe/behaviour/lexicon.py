"""The words that templates are filled with; in all of them "an" stands before a vowel letter."""

from collections.abc import Mapping, Sequence

GOOD: Mapping[str, Sequence[str]] = {
    # Praise for a film, for acting, for a story alike.
    "adj": (
        *("wonderful", "brilliant", "superb", "excellent", "fantastic", "great", "terrific"),
        *("beautiful", "delightful", "marvelous"),
    ),
    # Milder words, that take "very" and "fairly".
    "graded": ("good", "funny", "entertaining", "enjoyable", "interesting", "moving", "charming"),
    "phrase": (
        "I loved every minute of it",
        "I enjoyed it from start to finish",
        "it is a joy to watch",
        "it is a masterpiece",
        "it moved me to tears",
        "I can hardly wait to see it again",
        "it kept me on the edge of my seat",
        "it is well worth your time",
        "I laughed out loud again and again",
        "everybody should see it",
        "it deserves every award there is",
        "I highly recommend it",
    ),
}
BAD: Mapping[str, Sequence[str]] = {
    "adj": (
        *("terrible", "awful", "dreadful", "horrible", "dull", "boring", "poor", "pathetic"),
        *("lousy", "weak"),
    ),
    "graded": ("boring", "dull", "silly", "slow", "predictable", "disappointing", "annoying"),
    "phrase": (
        "I hated every minute of it",
        "I was bored from start to finish",
        "it is a pain to watch",
        "it is a complete mess",
        "it put me to sleep",
        "I never want to see it again",
        "it kept me looking at my watch",
        "it is a waste of your time",
        "I groaned out loud again and again",
        "everybody should avoid it",
        "it deserves to be forgotten",
        "I want my money back",
    ),
}

WORDS: Mapping[str, Sequence[str]] = {
    "film": ("film", "movie"),
    "genre": ("western", "thriller", "drama", "musical"),
    "part": ("acting", "story", "script", "dialogue", "direction", "photography"),
    "mass": ("acting", "dialogue", "direction", "photography", "music"),
    # What is said of a film, with or without "not".
    "good": ("good", "funny", "interesting", "entertaining", "convincing"),
    "bad": ("bad", "boring", "dull", "slow", "silly", "predictable"),
    "name": (
        *("Anna Miller", "David Cooper", "Maria Lopez", "James Walker", "Susan Clark"),
        *("Ahmed Hassan", "Li Wei", "Priya Sharma", "Kenji Tanaka", "Olga Petrova"),
        *("Marcus Johnson", "Fatima Khan", "Pierre Dubois", "Ingrid Larsen", "Kwame Mensah"),
    ),
    "city": (
        *("Chicago", "London", "Paris", "Berlin", "Rome", "Tokyo", "Mumbai", "Cairo", "Moscow"),
        *("Lagos", "Toronto", "Sydney"),
    ),
    "title": ("The Harbour", "Northern Road", "Paper Lanterns", "The Clockmaker"),
    "friend": ("brother", "sister", "neighbour", "friend", "colleague"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "when": ("last week", "on television", "on video", "at a festival", "in a small cinema"),
    "plot": (
        "two brothers and their farm",
        "a teacher in a small village",
        "a lawyer and her first case",
        "a soldier on his way home",
        "three students in one flat",
    ),
    # Of no weight: nobody thinks the better or worse of a film for it.
    "aside": (
        "I saw it on a Tuesday evening.",
        "It runs for about two hours.",
        "The cinema is opposite the station.",
        "We took the bus home.",
        "I had a cup of tea before it began.",
        "My seat was in the fifth row.",
        "The tape belongs to my neighbour.",
        "I am writing this in the kitchen.",
    ),
}

# Plot and circumstance, to make a review long; each is neutral by itself.
FILLER = (
    "The film opens in a small town by the sea.",
    "A man gets off the train with two suitcases and walks to the hotel.",
    "His sister owns a shop near the market.",
    "She sells paper, ink and books to the people of the town.",
    "In the next scene the two of them sit in the kitchen and talk about their parents.",
    "Their father worked at the harbour for thirty years.",
    "The mother taught at the school on the hill.",
    "One morning a letter arrives from the city.",
    "It says that the house has been sold to a company.",
    "The brother takes the train to meet the new owner.",
    "On the way he meets a woman who works at the same company.",
    "They talk about the weather, about work and about the sea.",
    "The middle part takes place in an office on the tenth floor.",
    "There are meetings, telephone calls and a dinner with the director of the bank.",
    "A lawyer explains what the contract says.",
    "Meanwhile the sister paints the front door of the shop.",
    "A boy from the school helps her on two afternoons.",
    "The camera follows him along the beach and back to the market.",
    "In the autumn the brother returns to the town.",
    "He rents a room above the bakery and starts to work at the harbour.",
    "The woman from the train visits him in November.",
    "The three of them have dinner at the hotel.",
    "Later they walk to the lighthouse and look at the ships.",
    "The final scene shows the house in the evening.",
)
