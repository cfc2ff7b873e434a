"""Reviews of the usual kind, with a plain verdict, for checks that change what should not matter."""

from sentilab.probe.behaviour.cases import labelled

POSITIVE = (
    "I saw this {film} in {city} {when}. {name} is {adj} in the lead, and I loved every minute of it.",
    "{name} and {name2} play two old friends who meet again in {city}. The story is {adj}, and the "
    "ending made me smile.",
    "This is one of the best films I have seen this year. {name} gives a {adj} performance, and the "
    "music is {adj2}.",
    "It's a {adj} {film} about {plot}. I didn't want it to end.",
    "I can't recommend this {film} enough. The script is {adj}, and {name} has never been better.",
    "The {part} is {adj}, the {part2} is {adj2}, and {name} carries it all with ease. A real treat.",
    "{name}'s new {film} is set in {city} and tells of {plot}. I was glued to the screen, and I'd "
    "gladly watch it again.",
    "We rented this {film} on {day}, and it's {adj}. {name} made me laugh and cry.",
    "From the first scene in {city} to the last, this is {adj} work. {name} deserves every award "
    "there is.",
    "A {adj} {film} about {plot}. My children laughed all the way through, and so did I.",
)
NEGATIVE = (
    "I saw this {film} in {city} {when}. {name} is {adj} in the lead, and I couldn't wait for it to "
    "end.",
    "{name} and {name2} play two old friends who meet again in {city}. The story is {adj}, and the "
    "ending makes no sense.",
    "This is one of the worst films I have seen this year. {name} gives a {adj} performance, and the "
    "music is {adj2}.",
    "It's a {adj} {film} about {plot}. I didn't care about anyone in it.",
    "I can't recommend this {film} to anyone. The script is {adj}, and {name} has never been worse.",
    "The {part} is {adj}, the {part2} is {adj2}, and {name} looks lost. A real waste of time.",
    "{name}'s new {film} is set in {city} and tells of {plot}. I nearly fell asleep, and I'd never "
    "watch it again.",
    "We rented this {film} on {day}, and it's {adj}. {name} made me wish that I hadn't.",
    "From the first scene in {city} to the last, this is {adj} work. {name} should be ashamed of it.",
    "A {adj} {film} about {plot}. My children were bored all the way through, and so was I.",
)

REVIEWS = labelled(POSITIVE, NEGATIVE)
