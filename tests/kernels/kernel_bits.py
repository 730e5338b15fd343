"""What every kernel computes, as a hash: run in new processes by test_same_bits.py.

    python kernel_bits.py ORDER          forward, backward or callees_first

Prints JSON: "bits", kernel -> hash of what it wrote; "unused", kernels that no case
called; "loose", functions that more than one kernel may hold a copy of, although the
compiler was allowed to choose the order of operations in them.
"""

import hashlib
import importlib
import json
import pkgutil
import re
import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

import mrnn_np.kernels
from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.fast import FastEngine, compiler
from mrnn_np.cnn.fast.program import run_program
from mrnn_np.cnn.shapes import weight_shapes
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.data.batches import Examples
from mrnn_np.decoding.beam import beam_search
from mrnn_np.kernels import cross_entropy, log_softmax, updates
from mrnn_np.kernels.activations import relu_step_kernel, stanh_backward_kernel
from mrnn_np.kernels.best_words import best_words
from mrnn_np.kernels.dropping import drop
from mrnn_np.kernels.gates import gru_backward_kernel, lstm_backward_kernel
from mrnn_np.kernels.ngrams import shared_ngrams
from mrnn_np.kernels.scatter import scatter_add_rows
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.retrieval.scoring import MultimodalScorer
from mrnn_np.retrieval.trie import build_trie
from mrnn_np.training import Trainer, TrainingConfig

ROWS, V = 20, 1007  # odd: whole vectors, half ones and single numbers in each row
ZERO = np.float32(0)


def draw(*shape, seed=0):
    return 3 * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def integers(limit, count):
    return np.random.default_rng(0).integers(0, limit, count)


def softmax_forward():
    logits, (totals, losses) = draw(ROWS, V), np.empty((2, ROWS), np.float32)
    words = integers(V, ROWS)
    cross_entropy.cross_entropy(logits, draw(V, seed=1), words, totals, losses)
    return logits, totals, losses


def softmax_backward():
    exps, sums = np.exp(draw(ROWS, V)), np.zeros(V, np.float32)
    totals, words = exps.sum(axis=1), integers(V, ROWS)
    cross_entropy.cross_entropy_backward(exps, totals, words, draw(ROWS), sums)
    return exps, sums


def normalisers():
    near, far = np.empty((2, ROWS), np.float32)
    log_softmax.log_sums(draw(ROWS, V), draw(V, seed=1), near)
    log_softmax.log_sums(100 * draw(ROWS, V), draw(V, seed=1), far)  # less the maximum
    return near, far


def log_probabilities():
    out, offsets = np.empty((2 * ROWS, 1), np.float32), 2 * np.arange(ROWS + 1)
    words = integers(V, 2 * ROWS)
    given = draw(ROWS, V), draw(V, seed=1), offsets, words, 1, out
    log_softmax.chosen_log_probs(*given)
    return (out,)


def chosen_logits():
    out, offsets = np.empty((2 * ROWS, 1), np.float32), 2 * np.arange(ROWS + 1)
    m, columns, words = draw(ROWS, 99), draw(V, 99, seed=1), integers(V, 2 * ROWS)
    log_softmax.chosen_logits(m, columns, draw(V), offsets, words, 1, out)
    return (out,)


def best():
    values, words = np.empty((ROWS, 7), np.float32), np.empty((ROWS, 7), np.int64)
    best_words(draw(ROWS, V), draw(V, seed=1), 4, values, words)
    return values, words


def activations():
    dx, out = np.empty(V, np.float32), np.empty((ROWS, V), np.float32)
    stanh_backward_kernel(draw(V), draw(V, seed=1), dx)
    relu_step_kernel(draw(ROWS, V), draw(ROWS, V, seed=1), draw(V), out)
    return dx, out


def gates():
    dz, dz4, dc = draw(ROWS, 3 * 41), draw(ROWS, 4 * 41), draw(ROWS, 41)
    h = draw(ROWS, 41, seed=1)
    gru_backward_kernel(h, draw(ROWS, 3 * 41, seed=2), h, h, dz)
    lstm_backward_kernel(h, draw(ROWS, 4 * 41, seed=2), h, h, draw(3, 41), dc, dz4)
    return dz, dz4, dc


def dropout():
    out = np.empty(V, np.float32)
    drop(draw(V), integers(2**16, V).astype(np.uint16), 2**15, 2.0, out)
    return (out,)


def row_sums():
    out = draw(5, V)
    scatter_add_rows(out, integers(5, ROWS), draw(ROWS, V, seed=1))
    return (out,)


def optimisers():
    p, g, m, v = draw(V), draw(V, seed=1), draw(V, seed=2), abs(draw(V, seed=3))
    updates.momentum_update(p, g, m, 0.1, 0.9)
    updates.rmsprop_update(p, g, v, 0.1, 0.9, 1e-8)
    updates.adagrad_update(p, g, v, 0.1, 1e-8)
    updates.adam_update(p, g, m, v, 0.1, 0.9, 0.999, 1e-8, 3)
    return p, m, v


def ngrams():
    starts, out = 5 * np.arange(ROWS + 1), np.zeros((3, ROWS, 4))
    numbers = np.random.default_rng(0).permuted(
        np.tile(np.arange(9), (ROWS, 1)), axis=1
    )
    numbers = numbers[:, :5].ravel().astype(np.int32)
    counts, orders = 1 + numbers % 3, (numbers % 4).astype(np.int8)
    own = starts[:4], numbers[:15], counts[:15], orders[:15]
    weights = np.sqrt(np.arange(5.0 * ROWS))
    shared_ngrams(out, starts, numbers, counts, weights, np.arange(ROWS), *own)
    return (out,)


def network():
    """All that the engine computes; Winograd's tiles in one step and in two."""
    layers = [
        Layer("wide", "convolution", ("input",), 40, kernel=5, stride=2, padding=2),
        Layer("a", "relu6", ("wide",)),
        Layer("tiles", "convolution", ("a",), 96, kernel=3, padding=1),
        Layer("b", "relu", ("tiles",)),
        Layer("pixels", "convolution", ("b",), 48, kernel=1),
        Layer("deep", "depthwise", ("pixels",), 0, kernel=3, padding=1),
        Layer("c", "relu6", ("deep",)),
        Layer("deeper", "depthwise", ("c",), 0, kernel=5, stride=2, padding=2),
        Layer("pool", "max_pool", ("deeper",), kernel=3, stride=2),
        Layer("again", "convolution", ("pool",), 48, kernel=1),
        Layer("sum", "add", ("again", "pool")),
    ]
    weights = {
        name: draw(*shape) / np.float32(np.sqrt(np.prod(shape[:-1])))
        for name, shape in weight_shapes(layers, 61, 3).items()
    }
    maps = []
    for compiler.FEW in (0, 1 << 30):
        outputs = FastEngine(layers, weights).outputs(
            draw(1, 61, 61, 3), ("tiles", "c", "sum")
        )
        maps += outputs.values()
    return maps


def captioner():
    """Two epochs of training, dev losses, captions, likelihoods."""
    vocabulary = Vocabulary(
        [*SPECIALS, *(f"w{i}" for i in range(V))], np.ones(V + 4, int)
    )
    sizes = {"embedding_size": 24, "recurrent_size": 40, "multimodal_size": 48}
    model = MRNN(
        MRNNConfig(image_size=17, **sizes), vocabulary, np.random.default_rng(0)
    )
    features = draw(60, 17)
    sentences = [list(4 + integers(V, 3 + i % 9)) for i in range(len(features))]
    examples = Examples(sentences, np.arange(len(features)), features)
    trainer = Trainer(model, TrainingConfig(epochs=2, batch_size=20), verbose=False)
    history = trainer.fit(examples, examples)
    captions = beam_search(model, features[:5], beam_size=3)
    scorer = MultimodalScorer(model, build_trie(sentences))
    return (
        *(model.params[name] for name in sorted(model.params)),
        np.array([entry["dev_loss"] for entry in history]),
        np.array([caption.log_prob for (caption,) in captions]),
        scorer(features),
        scorer.log_normalisers(features),
        scorer.chosen_logits(features),
    )


def callees():
    """Functions that are parts of others, called on their own."""
    row, bias = draw(V), draw(V, seed=1)
    most = cross_entropy.largest(row, bias)
    powers = log_softmax.sum_of_powers(row, bias, ZERO)
    total = cross_entropy.exponentiate(row, bias, most)
    return row, np.array([most, powers, total, log_softmax.log2_sum(row, bias)])


CASES = [
    softmax_forward, softmax_backward, normalisers, log_probabilities, chosen_logits,
    best, activations, gates, dropout, row_sums, optimisers, ngrams, network, captioner,
]  # fmt: skip
ORDERS = {
    "forward": [*CASES, callees],
    "backward": [callees, *CASES][::-1],
    "callees_first": [callees, *CASES],
}


def digest(arrays) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def kernels() -> dict[str, Dispatcher]:
    """Return name -> kernel, of all that are kept on disk."""
    found = {"run_program": run_program}
    for module in pkgutil.iter_modules(mrnn_np.kernels.__path__):
        names = vars(importlib.import_module(f"mrnn_np.kernels.{module.name}"))
        found |= {n: one for n, one in names.items() if isinstance(one, Dispatcher)}
    return found


FUNCTION = re.compile(r'^define ([^@\n]*)@"?([^"(]+)"?\(.*?^}', re.M | re.S)
LOOSE = re.compile(" (?:fast|reassoc|contract|arcp|afn) ")


def loose_functions(kernel: Dispatcher) -> set[str]:
    """Return the functions in a kernel's code that others may have a copy of, too.

    Only those in which the compiler may change the order of operations, or join two.
    Nothing is known of a kernel that comes from the disk.
    """
    found = set()
    for overload in kernel.overloads.values():
        if not overload.library._disable_inspection:
            for function in FUNCTION.finditer(overload.library.get_llvm_str()):
                if "linkonce" in function[1] and LOOSE.search(function[0]):
                    found.add(function[2])
    return found


if __name__ == "__main__":
    bits = {case.__name__: digest(case()) for case in ORDERS[sys.argv[1]]}
    unused = [name for name, one in kernels().items() if not one.overloads]
    loose = set().union(*map(loose_functions, kernels().values()))
    print(json.dumps({"bits": bits, "unused": unused, "loose": sorted(loose)}))
