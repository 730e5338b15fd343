"""Freeze the m-RNN with a part taken away or moved: its paper's ablations.

    pip install torch && python tests/golden/make_ablations.py

Each is written out whole, from the equations of the paper's section 10.1.
"""

import torch
from model_cases import START, freeze, g

SIZES = {"embedding_size": 3, "recurrent_size": 4, "multimodal_size": 5}


def sentence(step):
    """Return what runs `step`, (p, word, r, image) -> r, m, over a sentence."""

    def run(p, ids, image):
        r, logits = torch.zeros(p["Vr"].shape[0], dtype=torch.float64), []
        for word in [START, *ids]:
            r, m = step(p, word, r, image)
            logits.append(m @ p["Wo"] + p["bo"])
        return torch.stack(logits)

    return run


def relu(p, r, w):
    return torch.relu(r @ p["U"] + w + p["br"])


def rnn_base(p, word, r, image):
    w = g(g(p["E1"][word]) @ p["W2"] + p["b2"])
    r = relu(p, r, w)
    return r, g(w @ p["Vw"] + r @ p["Vr"] + p["bm"])


def no_emb_input(p, word, r, image):
    w = g(g(p["E1"][word]) @ p["W2"] + p["b2"])
    r = relu(p, r, w)
    return r, g(r @ p["Vr"] + image @ p["Vi"] + p["bm"])


def one_layer_emb(p, word, r, image):
    w = g(p["E1"][word])
    r = relu(p, r, w)
    return r, g(w @ p["Vw"] + r @ p["Vr"] + image @ p["Vi"] + p["bm"])


def emb_one_input(p, word, r, image):
    e = g(p["E1"][word])
    r = relu(p, r, g(e @ p["W2"] + p["b2"]))
    return r, g(e @ p["Ve"] + r @ p["Vr"] + image @ p["Vi"] + p["bm"])


def vis_in_rnn(p, word, r, image):
    w = g(g(p["E1"][word]) @ p["W2"] + image @ p["Vi1"] + p["b2"])
    r = relu(p, r, w)
    return r, g(w @ p["Vw"] + r @ p["Vr"] + p["bm"])


def vis_in_rnn_both(p, word, r, image):
    w = g(g(p["E1"][word]) @ p["W2"] + image @ p["Vi1"] + p["b2"])
    r = relu(p, r, w)
    return r, g(w @ p["Vw"] + r @ p["Vr"] + image @ p["Vi2"] + p["bm"])


def vis_in_rnn_both_shared(p, word, r, image):
    s = image @ p["Vi1"]
    w = g(g(p["E1"][word]) @ p["W2"] + s + p["b2"])
    r = relu(p, r, w)
    return r, g(w @ p["Vw"] + r @ p["Vr"] + s @ p["Vs"] + p["bm"])


if __name__ == "__main__":
    one_embedding = {key: SIZES[key] for key in SIZES if key != "embedding_size"}
    freeze("rnn-base", SIZES, sentence(rnn_base))
    freeze("no-emb-input", SIZES, sentence(no_emb_input))
    freeze("one-layer-emb", one_embedding, sentence(one_layer_emb))
    freeze("emb-one-input", SIZES, sentence(emb_one_input))
    freeze("vis-in-rnn", SIZES, sentence(vis_in_rnn))
    freeze("vis-in-rnn-both", SIZES, sentence(vis_in_rnn_both))
    freeze("vis-in-rnn-both-shared", SIZES, sentence(vis_in_rnn_both_shared))
