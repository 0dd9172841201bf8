"""A probabilistic grammar: its entropy beside enumeration, its text, what it accepts."""

import math

import pytest

from microtensor.lab.grammar import Grammar, tales

# Brackets within brackets, and a choice between words of different lengths.
NESTED = {
    "S": [(0.75, ["word", "."]), (0.25, ["(", "T", ")."])],
    "T": [(0.7, ["WORD"]), (0.3, ["(", "T", ")"])],
    "WORD": [(0.5, ["a"]), (0.25, ["bcd"]), (0.25, [])],
    "word": [(1.0, ["WORD"])],
}


def test_entropy_and_length_are_those_of_all_sentences_summed_up():
    grammar = Grammar(NESTED, "S")
    sentences = {}
    words = (("a", 0.5), ("bcd", 0.25), ("", 0.25))
    for word, share in words:
        sentences[word + "."] = 0.75 * share
        for depth in range(60):
            text = "(" * (depth + 1) + word + ")" * (depth + 1) + "."
            sentences[text] = 0.25 * 0.3**depth * 0.7 * share
    assert math.fsum(sentences.values()) == pytest.approx(1, abs=1e-12)
    entropy = math.fsum(-p * math.log2(p) for p in sentences.values())
    length = math.fsum(p * len(text) for text, p in sentences.items())
    assert grammar.entropy == pytest.approx(entropy, rel=1e-10)
    assert grammar.length == pytest.approx(length, rel=1e-10)
    for text in ("bcd.", "(((a)))."):
        assert grammar.probability(text) == pytest.approx(sentences[text], rel=1e-12)


def test_the_text_of_tales_has_one_derivation_and_as_many_bits_as_the_theory_says():
    grammar = tales()
    drawn = grammar.draw(100_000, seed=3)
    assert grammar.draw(100_000, seed=3) == drawn
    assert drawn.bits / len(drawn.text) == pytest.approx(grammar.entropy_per_character, rel=0.02)
    sentences = drawn.text.splitlines(keepends=True)
    assert len(drawn.text) / len(sentences) == pytest.approx(grammar.length, rel=0.03)
    some = grammar.draw(3000, seed=5)
    # Summed over derivations; were there two of one sentence, this would be fewer bits.
    bits = -sum(math.log2(grammar.probability(one)) for one in some.text.splitlines(keepends=True))
    assert bits == pytest.approx(some.bits, rel=1e-12)


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("the cats (which follow a hen (which sings)) sleep.\n", True),
        ("the cats (which follow a hen (which sings)) sleeps.\n", False),
        ("the cats (which follow a hen (which sings) sleep.\n", False),
        ("a cats sleep.\n", False),
        ("the cat sleeps.", False),
        ("", False),
    ],
)
def test_agreement_and_brackets_are_told_right_from_wrong(sentence, right):
    assert tales().accepts(sentence) is right


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"S": [(0.5, ["a"]), (0.4, ["b"])]}, r"S: .* add up to 1, got 0.5, 0.4"),
        ({"S": [(1.0, ["a", "S"])]}, "no end"),
        ({"S": [(0.5, ["S", "S"]), (0.5, ["a"])]}, "no end"),
        ({"S": [(1.0, [])]}, "must have characters"),
        ({"T": [(1.0, ["a"])]}, "start must be one of T, got 'S'"),
    ],
)
def test_rules_that_are_none_are_refused(rules, message):
    with pytest.raises(ValueError, match=message):
        Grammar(rules, "S")
