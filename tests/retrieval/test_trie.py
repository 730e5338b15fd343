"""The tree of sentence prefixes against the set of prefixes itself."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.data.vocabulary import END, START
from mrnn_np.retrieval.trie import build_trie

sentences_of_few_words = st.lists(
    st.lists(st.integers(4, 6), max_size=5), min_size=1, max_size=12
)


def prefixes_of(trie) -> list[tuple]:
    """The words of every node, found by walking up."""
    names = [()]
    for node in range(1, trie.nodes):
        names.append((*names[trie.parents[node]], int(trie.tokens[node])))
    return names


@given(sentences_of_few_words)
def test_nodes_are_the_different_prefixes(sentences):
    trie = build_trie(sentences)
    names = prefixes_of(trie)
    expected = {tuple(s[:n]) for s in sentences for n in range(len(s) + 1)}
    assert set(names) == expected and len(names) == len(expected)
    assert trie.rows_alone == sum(len(s) + 1 for s in sentences)
    assert trie.tokens[0] == START
    depths = [len(name) for name in names]
    for level, (first, last) in enumerate(
        zip(trie.levels[:-1], trie.levels[1:], strict=True)
    ):
        assert set(depths[first:last]) == {level}
    for node in range(1, trie.nodes):  # the edge above a node bears its word
        edge = trie.edge_above[node]
        assert trie.words[edge] == trie.tokens[node]
        parent = trie.parents[node]
        assert trie.offsets[parent] <= edge < trie.offsets[parent + 1]


@given(sentences_of_few_words, st.integers(0, 5))
def test_sums_run_along_the_words_of_each_sentence(sentences, seed):
    trie = build_trie(sentences)
    values = np.random.default_rng(seed).standard_normal((len(trie.words), 2))
    value_of = {}
    for node, name in enumerate(prefixes_of(trie)):
        for edge in range(trie.offsets[node], trie.offsets[node + 1]):
            value_of[name, int(trie.words[edge])] = values[edge]
    expected = [
        sum(value_of[tuple(s[:n]), word] for n, word in enumerate([*s, END]))
        for s in sentences
    ]
    np.testing.assert_allclose(trie.sentence_sums(values), expected, atol=1e-12)


def test_a_hand_drawn_tree():
    # a dog runs / a dog sleeps / a cat, with a=4 dog=5 runs=6 sleeps=7 cat=8
    trie = build_trie([[4, 5, 6], [4, 5, 7], [4, 8]])
    assert prefixes_of(trie) == [(), (4,), (4, 5), (4, 8), (4, 5, 6), (4, 5, 7)]
    assert trie.words.tolist() == [4, 5, 8, 6, 7, END, END, END]
    assert trie.rows_alone == 4 + 4 + 3
    assert trie.ends.tolist() == [6, 7, 5]
