"""A probabilistic grammar: text is drawn from it, and its entropy is known exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# A rule's choices: each a probability, and the parts, which are names of rules or plain text.
Choices = Sequence[tuple[float, Sequence[str]]]


@dataclass(frozen=True)
class Drawn:
    """Sentences one after another.

    Attributes:
        text: all of them.
        bits: how surprising the text is to who knows the grammar: -log₂ of its probability.
    """

    text: str
    bits: float


class Grammar:
    """A context-free grammar whose rules choose by lot.

    A sentence is drawn by replacing rules by one of their choices until only text is left. With m
    the expected number of times that each rule is replaced, a sentence has the entropy Σ mᵢ·Hᵢ,
    Hᵢ being the entropy of rule i's choice, and m solves m = e + Mᵀm, e being 1 for the first rule,
    Mᵢⱼ the expected number of rules j in a choice of i. The entropy of the derivation is that of
    the text if no text has two derivations; then, and if it is seen from a sentence where it ends,
    the entropy per character of sentences in a row is the entropy of one over its expected length.

    Args:
        rules: the choices of each rule; a part that is no rule's name is text.
        start: the rule that a sentence begins with.

    Raises:
        ValueError: probabilities of a rule that do not add up to 1 or are not positive; sentences
            that have no end, or are empty.

    References:
        Grenander 1967, "Syntax-controlled probabilities"; Soule 1974, "Entropies of probabilistic
        grammars", Information and Control 25.

    Example:
        >>> coins = Grammar({"toss": [(0.5, ["heads", "."]), (0.5, ["tails", "."])]}, "toss")
        >>> coins.entropy, coins.length, coins.entropy_per_character
        (1.0, 6.0, 0.16666666666666666)
        >>> coins.accepts("tails."), coins.accepts("edge.")
        (True, False)
    """

    def __init__(self, rules: Mapping[str, Choices], start: str) -> None:
        self.rules = {name: tuple((p, tuple(parts)) for p, parts in rules[name]) for name in rules}
        self.start = start
        if start not in self.rules:
            raise ValueError(f"start must be one of {', '.join(self.rules)}, got {start!r}")
        for name, choices in self.rules.items():
            total = math.fsum(p for p, _ in choices)
            if any(p <= 0 for p, _ in choices) or not math.isclose(total, 1.0):
                raise ValueError(
                    f"{name}: probabilities must be positive and add up to 1, got "
                    f"{', '.join(str(p) for p, _ in choices)}"
                )
        uses = self._uses()
        #: Bits of a sentence.
        self.entropy = math.fsum(
            uses[name] * -p * math.log2(p) for name in self.rules for p, _ in self.rules[name]
        )
        #: Characters of a sentence, on average.
        self.length = math.fsum(
            uses[name] * p * len(part)
            for name in self.rules
            for p, parts in self.rules[name]
            for part in parts
            if part not in self.rules
        )
        if self.length == 0:
            raise ValueError("sentences must have characters, and all are empty")

    @property
    def entropy_per_character(self) -> float:
        """Bits per character of sentences in a row."""
        return self.entropy / self.length

    def draw(self, characters: int, seed: int) -> Drawn:
        """Draw whole sentences until there are as many characters, or a few more."""
        draw = np.random.default_rng(seed)
        bits, length = 0.0, 0
        pieces: list[str] = []
        while length < characters:
            waiting = [self.start]  # the next part is the last
            while waiting:
                part = waiting.pop()
                if part not in self.rules:
                    pieces.append(part)
                    length += len(part)
                    continue
                chances, choices = zip(*self.rules[part], strict=True)
                chosen = int(np.searchsorted(np.cumsum(chances)[:-1], draw.random(), "right"))
                bits -= math.log2(chances[chosen])
                waiting.extend(reversed(choices[chosen]))
        return Drawn("".join(pieces), bits)

    def accepts(self, sentence: str) -> bool:
        """Tell whether a text is one sentence of the grammar."""
        return self.probability(sentence) > 0

    def probability(self, sentence: str) -> float:
        """Return the probability of one sentence, summed over its derivations.

        No rule may begin with itself, which this would follow without end.
        """
        known: dict[tuple[str, int], dict[int, float]] = {}

        def ends(part: str, start: int) -> dict[int, float]:
            # Where what `part` stands for may end, if it begins at `start`.
            if part not in self.rules:
                found = sentence.startswith(part, start)
                return {start + len(part): 1.0} if found else {}
            if (part, start) not in known:
                totals: dict[int, float] = {}
                for p, parts in self.rules[part]:
                    for end, share in _walk(parts, start):
                        totals[end] = totals.get(end, 0.0) + p * share
                known[part, start] = totals
            return known[part, start]

        def _walk(parts: Sequence[str], start: int) -> Iterator[tuple[int, float]]:
            if not parts:
                yield start, 1.0
                return
            for middle, share in ends(parts[0], start).items():
                for end, rest in _walk(parts[1:], middle):
                    yield end, share * rest

        return ends(self.start, 0).get(len(sentence), 0.0)

    def _uses(self) -> dict[str, float]:
        """Return how often each rule is replaced in a sentence, on average."""
        names = list(self.rules)
        place = {name: index for index, name in enumerate(names)}
        mean = np.zeros((len(names), len(names)))
        for name, choices in self.rules.items():
            for p, parts in choices:
                for part in parts:
                    if part in place:
                        mean[place[name], place[part]] += p
        # Sentences end, and have a finite length on average, if no eigenvalue reaches 1.
        if np.abs(np.linalg.eigvals(mean)).max() >= 1 - 1e-9:
            raise ValueError("sentences have no end: rules lead to one more of themselves each")
        first = np.zeros(len(names))
        first[place[self.start]] = 1.0
        found = np.linalg.solve(np.eye(len(names)) - mean.T, first)
        return dict(zip(names, map(float, found), strict=True))


def tales() -> Grammar:
    r"""Return the grammar of the demo: animals that watch each other, in brackets within brackets.

    Who acts and how must agree, one or many, over the brackets between them; what has no bracket
    open cannot close one. Both take a memory that grows with the nesting.

    Example:
        >>> print(tales().draw(90, seed=4).text.splitlines()[0])
        the wild bears sleep.
        >>> tales().accepts("the fox (which sees the cats) sings.\n")
        True
        >>> tales().accepts("the fox (which sees the cats) sing.\n")
        False
    """
    adjectives, animals = ("grey", "red", "shy", "wild"), ("bear", "cat", "fox", "hen", "wolf")
    several = ("bears", "cats", "foxes", "hens", "wolves")
    moves, sees = ("run", "sing", "sleep"), ("see", "like", "follow")

    def even(words: Sequence[str]) -> Choices:
        return [(1 / len(words), [word]) for word in words]

    return Grammar(
        {
            "TALE": [(0.5, ["ONE", " ", "ACTS", ".\n"]), (0.5, ["MANY", " ", "ACT", ".\n"])],
            "ONE": [(0.6, ["the ", "ADJECTIVE", "ANIMAL", "WHO ACTS"]),
                    (0.4, ["a ", "ADJECTIVE", "ANIMAL", "WHO ACTS"])],
            "MANY": [(1.0, ["the ", "ADJECTIVE", "ANIMALS", "WHO ACT"])],
            "WHO ACTS": [(0.7, []), (0.3, [" (which ", "ACTS", ")"])],
            "WHO ACT": [(0.7, []), (0.3, [" (which ", "ACT", ")"])],
            "ACTS": [(0.5, ["MOVES"]), (0.5, ["SEES", " ", "WHOM"])],
            "ACT": [(0.5, ["MOVE"]), (0.5, ["SEE", " ", "WHOM"])],
            "WHOM": [(0.5, ["ONE"]), (0.5, ["MANY"])],
            "ADJECTIVE": [(0.6, []), *((0.1, [word + " "]) for word in adjectives)],
            "ANIMAL": even(animals),
            "ANIMALS": even(several),
            "MOVE": even(moves), "MOVES": even([word + "s" for word in moves]),
            "SEE": even(sees), "SEES": even([word + "s" for word in sees]),
        },
        "TALE",
    )  # fmt: skip
