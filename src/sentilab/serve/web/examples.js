// Reviews and pairs of our own making, to begin with.

export const EXAMPLES = [
  {
    title: "A warm one",
    text: "I went in expecting very little and came out smiling. The story is told with warmth and wit, the two leads are wonderful together, and even the quiet scenes had me leaning forward. I would gladly see it again.",
  },
  {
    title: "A weary one",
    text: "Two hours of my life, and nothing to show for them. The plot is dull, the jokes fall flat, and by the end I no longer cared who had stolen the necklace or why. A waste of a fine cast.",
  },
  {
    title: "A mixed one",
    text: "The first half is slow and the dialogue often clumsy, but the acting is superb and the last twenty minutes are simply beautiful. Not a perfect film, and not one that I will forget.",
  },
];

// "turns": the second text should get another label than the first; otherwise the same.
export const PAIRS = [
  { kind: "negation", first: "This film is bad.", second: "This film is not bad.", turns: true },
  { kind: "negation", first: "The acting is good.", second: "The acting is not good.", turns: true },
  { kind: "negation", first: "I would recommend it.", second: "I would never recommend it.", turns: true },
  { kind: "opposites", first: "A wonderful story, beautifully told.", second: "A dreadful story, clumsily told.", turns: true },
  { kind: "contrast", first: "The start is great, but the rest is awful.", second: "The start is awful, but the rest is great.", turns: true },
  { kind: "expectation", first: "I thought it would be dull, and it was.", second: "I thought it would be dull, but it was not.", turns: true },
  { kind: "time", first: "I used to love it; now I find it boring.", second: "I used to find it boring; now I love it.", turns: true },
  { kind: "sarcasm", first: "Great, if you enjoy films.", second: "Great, if you enjoy watching paint dry.", turns: true },
  { kind: "one letter wrong", first: "An excellent and moving film.", second: "An excellnt and moving film.", turns: false },
  { kind: "capitals", first: "What a terrible waste of time.", second: "WHAT A TERRIBLE WASTE OF TIME.", turns: false },
  { kind: "names", first: "Maria plays the lead, and the film is a delight.", second: "Ahmed plays the lead, and the film is a delight.", turns: false },
  { kind: "beside the point", first: "The worst film of the year.", second: "We took the bus home. The worst film of the year.", turns: false },
];
