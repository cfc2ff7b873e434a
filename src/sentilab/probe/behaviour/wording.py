"""What is said, and how: vocabulary, negation, intensity, contrast, comparison, sarcasm, time.

Texts that a reader could take either way have no place here: in each, one overall verdict is
plain, and the rest is there to distract from it.
"""

from collections.abc import Iterator

from sentilab.probe.behaviour.cases import Check, directional, exchanged, labelled, minimum
from sentilab.probe.behaviour.reviews import REVIEWS


def checks() -> Iterator[Check]:
    """The checks of these capabilities, in the order in which they are shown."""
    yield minimum("vocabulary", "clear words", "Plain praise and plain blame.", CLEAR, CLEAR)
    yield minimum(
        "vocabulary",
        "clear phrases",
        "A verdict in a turn of phrase: on the edge of my seat, a waste of your time.",
        PHRASES,
        PHRASES,
    )
    yield exchanged(
        "vocabulary",
        "neutral words exchanged",
        "Film or movie, the day, the plot: none of them is a verdict.",
        REVIEWS,
        ("film", "day", "when", "plot"),
    )
    yield minimum("negation", "negated praise", "Not good, never funny: negative.", (), NO_PRAISE)
    yield minimum("negation", "negated blame", "Not bad at all: positive.", NO_BLAME, ())
    yield minimum(
        "negation",
        "at a distance",
        "I thought it would be dull, but it wasn't.",
        EXPECTED_BAD,
        EXPECTED_GOOD,
    )
    yield minimum(
        "negation",
        "of an opinion",
        "I don't think that it is good.",
        NOT_THOUGHT_BAD,
        NOT_THOUGHT_GOOD,
    )
    graded = labelled(GRADED, GRADED)
    yield directional(
        "intensity",
        "intensified",
        "Good to very good, dull to really dull: the verdict must not weaken.",
        graded,
        degrees=(INTENSIFIERS, INTENSIFIERS),
        stronger=True,
    )
    yield directional(
        "intensity",
        "reduced",
        "Good to fairly good, dull to slightly dull: the verdict must not strengthen.",
        graded,
        degrees=(("fairly ", "somewhat ", "moderately "), ("slightly ", "somewhat ")),
        stronger=False,
    )
    yield directional(
        "intensity",
        "verdict added",
        "One more verdict of the same kind at the end: it must not weaken.",
        [(f"{text}{{degree}}", positive) for text, positive in REVIEWS],
        degrees=(
            (" I loved it.", " Highly recommended.", " It is excellent.", " A masterpiece."),
            (" I hated it.", " Avoid it.", " It is awful.", " A disaster."),
        ),
        stronger=True,
    )
    yield minimum("contrast", "but", "After praise for a part: but the film is dull.", BUT, BUT)
    yield minimum(
        "contrast", "although", "Although a part is weak, the film is great.", ALTHOUGH, ALTHOUGH
    )
    yield minimum(
        "contrast",
        "although, behind",
        "The film is great, although a part is weak.",
        BEHIND,
        BEHIND,
    )
    yield minimum(
        "comparison", "better or worse", "Better than all others, or worse.", BETTER, WORSE
    )
    yield minimum(
        "comparison",
        "with another film",
        "Praise for another film, to this one's shame; and the reverse.",
        OTHER_BLAMED,
        OTHER_PRAISED,
    )
    yield minimum(
        "sarcasm", "with a marker", "A great film, if you enjoy watching paint dry.", (), SARCASTIC
    )
    yield minimum(
        "sarcasm", "the same words in earnest", "A great film, and I mean it.", EARNEST, ()
    )
    yield minimum(
        "time", "then and now", "I used to think it dull; now I find it great.", CHANGED, CHANGED
    )
    yield minimum(
        "time", "now and then", "I find it great, though I used to think it dull.", BEFORE, BEFORE
    )


CLEAR = (
    "A {adj} {film}. The {part} is {adj2} from beginning to end.",
    "I watched this {film} {when}. The {part} was {adj} and the {part2} was {adj2}.",
    "This is a {adj} {film} with {adj2} {mass}.",
    "{name} has made a {adj} {film}, and the {part} is {adj2}.",
    "What a {adj} {film}! Everything about it is {adj2}.",
    "The {part} was {adj}. The {part2} was {adj2} too, and so was the ending.",
    "It is a {adj} story about {plot}, and the {mass} is {adj2}.",
    "My {friend} and I saw it {when}. We both found it {adj}.",
    "I had heard nothing about this {film} before. It is {adj}, and {name} is {adj2} in it.",
    "If I had to describe this {genre} in one word, the word would be {adj}.",
)

PHRASES = (
    "I watched this {film} {when}, and {phrase}.",
    "This {film} is about {plot}. In short, {phrase}.",
    "{name} plays the lead in this {genre}. All I can say is that {phrase}.",
    "I saw it with my {friend}. We agreed on it afterwards: {phrase}.",
    "It is a {genre} set in {city}. I must say that {phrase}, and {phrase2}.",
    "I don't write many reviews, but {phrase}.",
    "If you ask me about this {film}: {phrase}.",
    "It came out some years ago, and I only saw it on {day}. As far as I am concerned, {phrase}.",
)

NO_PRAISE = (
    "This is not a {good} {film}, and the acting is not {good2} either.",
    "I did not like this {film}. The {part} isn't {good}, and neither is the {part2}.",
    "I can't say that I enjoyed this {film}. The story never becomes {good}.",
    "There is nothing {good} about this {film}, nothing at all.",
    "The {film} isn't {good}, it isn't {good2}, and it isn't worth the time.",
    "I wouldn't recommend this {film} to anybody. It is never {good}.",
    "Nobody in this {film} can act, and none of it is {good}.",
    "{name} is not {good} in this, and the {part} does not help.",
    "It was never {good} for a moment, and I had no fun at all with this {film}.",
    "I saw this {film} {when}. It has no charm, no wit and not one {good} scene.",
    "Not once did I laugh, and not once did I care. This is not how to make a {good} {film}.",
    "I don't like the {part}, I don't like the {part2}, and I did not find it {good}.",
)
NO_BLAME = (
    "This {film} is not {bad} at all. I was never bored.",
    "There is nothing {bad} about this {film}, and nothing that I would change.",
    "I did not find this {film} {bad} for a moment, and I wasn't disappointed.",
    "I can't find fault with the {part}, and the {part2} isn't bad at all.",
    "This {film} is never {bad} and never {bad2}. You won't regret seeing it.",
    "No complaints about the {part}: there isn't a {bad} scene in this {film}.",
    "I have no complaints. The {film} is not {bad} at all, and no time was wasted.",
    "Nobody could call this {film} {bad}. I couldn't stop watching.",
    "You will not be bored, and you will not be disappointed. There is not a {bad} minute in it.",
    "{name} is not bad at all in this, and I can't say a word against the {part}.",
    "There is no reason to miss this {film}. It isn't {bad}, and it isn't {bad2}.",
    "Not a {bad} moment in this {film}, and not a wasted scene. I didn't look at my watch once.",
)

EXPECTED_BAD = (
    "I thought that this {film} would be {bad}, but it wasn't.",
    "I had expected the {film} to be {bad} and the ending to be {bad2}, but neither was.",
    "After what I had read about {name}, I was sure that it would be {bad}. It was not.",
    "My {friend} told me that it was {bad} and that I would be bored. I was not, and it isn't.",
    "Everybody said that the {film} was {bad} and a waste of time. It is nothing of the kind.",
    "I went in afraid that it would be {bad}, as {name}'s films so often are. It wasn't, not for a "
    "second.",
)
EXPECTED_GOOD = (
    "I thought that this {film} would be {good}, but it wasn't.",
    "I had expected the {film} to be {good} and the ending to be {good2}, but neither was.",
    "After what I had read about {name}, I was sure that it would be {good}. It was not.",
    "My {friend} told me that it was {good} and that I would love it. I did not, and it isn't.",
    "Everybody said that the {film} was {good} and a masterpiece. It is nothing of the kind.",
    "I went in hoping that it would be {good}, as {name}'s films so often are. It wasn't, not for a "
    "second.",
)

NOT_THOUGHT_BAD = (
    "I don't think that this {film} is {bad}, and I doubt that you will.",
    "I wouldn't say that the {part} is bad or that a single scene is wasted.",
    "I don't believe that anybody will be bored by this {film}. I don't know anybody who was.",
    "I can't imagine who would find this {film} {bad}, or why anybody would want to miss it.",
    "I don't agree that {name} is bad in this, or that the story is {bad}.",
)
NOT_THOUGHT_GOOD = (
    "I don't think that this {film} is {good}, and I doubt that you will.",
    "I wouldn't say that the {part} is good or that a single scene works.",
    "I don't believe that anybody will enjoy this {film}. I don't know anybody who did.",
    "I can't imagine who would find this {film} {good}, or why anybody would want to see it.",
    "I don't agree that {name} is good in this, or that the story is {good}.",
)

GRADED = (
    "I found this {film} {degree}{graded}.",
    "It is a {degree}{graded} {film} about {plot}.",
    "I watched it with my {friend} on {day}. It was {degree}{graded}.",
    "{name} plays the lead. The result is {degree}{graded}.",
    "We saw it {when}. The story was {degree}{graded}, and we talked about it all evening.",
    "Seen again after ten years, this {film} is {degree}{graded}.",
    "To sum up, this is a {degree}{graded} {film}.",
    "I had never seen a {genre} before. This one is {degree}{graded}.",
)
INTENSIFIERS = ("very ", "really ", "extremely ", "incredibly ")

BUT = (
    "The {part} is {con} and the {part2} is {con2}, but the {film} as a whole is {adj}.",
    "I found the {part} {con}, but all in all this is a {adj} {film}.",
    "{name} is {con}, but the {film} is {adj}.",
    "The first ten minutes are {con}, but all that follows is {adj}.",
    "Critics called it {con}, but I thought that it was {adj}.",
    "It looks {con}, but the story is {adj}, and in the end that is what counts.",
)
ALTHOUGH = (
    "Although the {part} is {con} and the {part2} is {con2}, the {film} as a whole is {adj}.",
    "Although {name} is {con}, this is a {adj} {film}.",
    "Even though the first ten minutes are {con}, the rest of the {film} is {adj}.",
    "Despite the {con} {mass}, I thought that the {film} was {adj}.",
    "While the {part} is {con}, everything else about this {film} is {adj}.",
    "However {con} the {part} may be, taken as a whole it is a {adj} {film}.",
)
BEHIND = (
    "This is a {adj} {film}, although the {part} is {con}.",
    "All in all the {film} is {adj}, even though the {part} is {con} and the {part2} is {con2}.",
    "I thought that this {film} was {adj}, despite the {con} {mass}.",
    "Taken as a whole the {film} is {adj}, however {con} the {part} may be.",
    "It is a {adj} {film}, and that {name} is {con} in it changes nothing.",
    "Everything about this {film} is {adj} except for the {part}, which is {con}.",
)

BETTER = (
    "This {film} is far better than anything else I have seen this year.",
    "The {film} is better than the book, and I loved the book.",
    "I have rarely seen a better {genre} than this.",
    "Even the best films of {name} are not as good as this one.",
    "{name} has never been better, and no other {genre} this year comes close.",
    "This {film} is much better than I had expected. I enjoyed it more than any {genre} in years.",
    "Compared with this, every other {genre} of the year looks {con}.",
    "I have seen hundreds of {genre}s, and few were as {adj} as this {film}.",
)
WORSE = (
    "This {film} is far worse than anything else I have seen this year.",
    "The {film} is worse than the book, and I hated the book.",
    "I have rarely seen a worse {genre} than this.",
    "Even the worst films of {name} are not as bad as this one.",
    "{name} has never been worse, and no other {genre} this year comes close.",
    "This {film} is much worse than I had expected. I enjoyed it less than any {genre} in years.",
    "Compared with this, every other {genre} of the year looks {con}.",
    "I have seen hundreds of {genre}s, and few were as {adj} as this {film}.",
)
OTHER_PRAISED = (
    "The first {film} was {con}. This one is nowhere near as good.",
    "{title} by the same director is {con} and {con2}. I wish I had watched that one instead.",
    "I had just seen {title}, which is {con}. Next to it this {film} looks poor.",
    "Watch {title}, a {con} {film} on the same subject, and skip this one.",
    "The book is {con}, with {con2} dialogue. Nothing of that has survived in this {film}.",
    "{name} made {title}, a {con} {film}. How could it go so wrong this time?",
)
OTHER_BLAMED = (
    "The first {film} was {con}. This one is so much better.",
    "{title} by the same director is {con} and {con2}. I am glad that I watched this one instead.",
    "I had just seen {title}, which is {con}. Next to it this {film} shines.",
    "Skip {title}, a {con} {film} on the same subject, and watch this one.",
    "The book is {con}, with {con2} dialogue. Luckily nothing of that is left in this {film}.",
    "{name} made {title}, a {con} {film}. How did it come out so well this time?",
)

# {con} is praise here: the label is negative.
SARCASTIC = (
    "Oh, great, another {genre} with {name}. Just what the world was waiting for.",
    "A {con} {film}, if you enjoy watching paint dry.",
    'Yeah, right, a "{con}" {film}. Tell me another one.',
    'So this is what they call a "{con}" {film}? Give me a break.',
    "I loved this {con} {film} so much that I walked out after twenty minutes.",
    "Wow, what {con} {mass}. I have seen better in my neighbour's holiday videos.",
    "The best part of this {con} {film}? The moment when it was over.",
    "If you like having two hours of your life stolen, you will love this {con} {film}.",
    "Sure, this {film} is {con}. And I am the Queen of England.",
    'Thank you, {name}, for this "{con}" {film}. I needed the sleep.',
)
EARNEST = (
    "I was so happy to see another {genre} with {name}. Just what I was waiting for.",
    "A {adj} {film}, if you enjoy watching people who can act.",
    "Yes, this is a {adj} {film}. Tell all your friends.",
    "So this is why they call it a {adj} {film}! Now I understand.",
    "I loved this {adj} {film} so much that I stayed for the next showing.",
    "Wow, what {adj} {mass}. I have seen nothing better in years.",
    "The best part of this {adj} {film}? The moment when they meet again.",
    "If you like to have a good time for two hours, you will love this {adj} {film}.",
    "Sure, this {film} is {adj}. And I am so glad that I went.",
    "Thank you, {name}, for this {adj} {film}. I needed the laugh.",
)

CHANGED = (
    "I used to think that this {film} was {con}. Now I think that it is {adj}.",
    "When I was a child I found this {film} {con}. I saw it again {when}, and it is {adj}.",
    "Ten years ago I wrote that {name} was {con} in this. Today I find the performance {adj}.",
    "The first time I saw it, I thought that it was {con}. I know better now: this {film} is {adj}.",
    "When it came out, everybody called it {con}. Today we can see what a {adj} {film} it is.",
    "The {film} seemed {con} to me back then. These days it seems {adj}.",
    "For years I believed that it was a {con} {film}. I no longer do: it is {adj}.",
)
BEFORE = (
    "Today I find this {film} {adj}, though I used to think that it was {con}.",
    "This {film} is {adj}. I did not see that as a child, when I found it {con}.",
    "Now that I have seen it again, I think that it is {adj}. Years ago I called it {con}.",
    "I think that the {film} is {adj}, and I no longer know why I once thought it {con}.",
    "It is a {adj} {film}, whatever I wrote about it ten years ago, when I called it {con}.",
    "These days the {film} strikes me as {adj}, where it once seemed {con}.",
)
