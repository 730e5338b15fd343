"""Freeze the models that score pairs: mnlm-rank, dmsm, deepfe and deepvs-align.

    pip install torch && python tests/golden/make_rankers.py

Losses are summed pair by pair and negative by negative, as their formulas are written.
"""

import itertools

import torch
from make_mrnn_cells import gru, lstm
from model_cases import END, START, freeze, g


def cosine(a, b):
    return (a @ b) / (a.norm() * b.norm())


def mnlm_score(p, ids, image, cell, states):
    R = p["Vi"].shape[1]
    state = (torch.zeros(R, dtype=torch.float64),) * states
    for word in [*ids, END]:
        state = cell(p["E1"][word], state, p["W"], p["U"], p["br"])
    return cosine(state[0], image @ p["Vi"])


def dmsm_score(p, ids, image):
    a = g(p["E1"][torch.tensor(ids, dtype=torch.long)].sum(0) + p["b1"])
    u = g(g(a @ p["W2"] + p["b2"]) @ p["W3"] + p["b3"])
    c = g(image @ p["Vi"] + p["bi"])
    v = g(g(c @ p["V2"] + p["c2"]) @ p["V3"] + p["c3"])
    return cosine(u, v)


def regions_of(p, image, regions):
    return [x @ p["Vi"] + p["bi"] for x in image.reshape(regions, -1)]


def deepfe_score(p, ids, image, regions):
    total = torch.zeros((), dtype=torch.float64)
    for before, word in itertools.pairwise([START, *ids]):
        both = torch.cat([p["E1"][before], p["E1"][word]])
        s = torch.relu(both @ p["We"] + p["be"])
        for v in regions_of(p, image, regions):
            total = total + torch.relu(s @ v)
    return total / (regions * (len(ids) + 5))


def deepvs_score(p, ids, image, regions):
    es = [torch.relu(p["E1"][word] @ p["We"] + p["be"]) for word in ids]
    zero = torch.zeros(p["Uf"].shape[0], dtype=torch.float64)
    forwards, backwards = [zero], [zero]
    for e in es:
        forwards.append(torch.relu(e + forwards[-1] @ p["Uf"] + p["bf"]))
    for e in es[::-1]:
        backwards.append(torch.relu(e + backwards[-1] @ p["Ub"] + p["bb"]))
    total = torch.zeros((), dtype=torch.float64)
    for f, b in zip(forwards[1:], backwards[:0:-1], strict=True):
        s = torch.relu((f + b) @ p["Wd"] + p["bd"])
        fits = [s @ v for v in regions_of(p, image, regions)]
        total = total + torch.stack(fits).max()
    return total


def hinge(score, margin):
    """Return the ranking loss of a score of (parameters, ids, image)."""

    def loss(p, sentences, images, numbers):
        total, N = 0.0, len(sentences)
        for n in range(N):
            own = score(p, sentences[n], images[n])
            for k in range(N):
                if numbers[k] != numbers[n]:
                    other = score(p, sentences[n], images[k])
                    total = total + torch.relu(margin - own + other)
                    other = score(p, sentences[k], images[n])
                    total = total + torch.relu(margin - own + other)
        return total / N

    return loss


def posterior(gamma):
    """Return the loss of dmsm."""

    def loss(p, sentences, images, numbers):
        total, N = 0.0, len(sentences)
        for n in range(N):
            ks = [n, *(k for k in range(N) if numbers[k] != numbers[n])]
            by_image = [dmsm_score(p, sentences[n], images[k]) for k in ks]
            by_sentence = [dmsm_score(p, sentences[k], images[n]) for k in ks]
            for scores in (by_image, by_sentence):
                total = total - torch.log_softmax(gamma * torch.stack(scores), 0)[0]
        return total / N

    return loss


if __name__ == "__main__":
    sizes = {"embedding_size": 3, "recurrent_size": 4}
    for name, cell, states in (("lstm", lstm, 2), ("gru", gru, 1)):
        score = lambda *a, c=cell, s=states: mnlm_score(*a, c, s)  # noqa: E731
        freeze("mnlm-rank", {**sizes, "cell": name}, None, name,
               hinge(score, 0.2))  # fmt: skip
    sizes = {"hidden_size": 4, "joint_size": 3, "gamma": 3.0}
    freeze("dmsm", sizes, None, "", posterior(3.0))
    sizes = {"embedding_size": 3, "joint_size": 4}
    for name, of in (("deepfe", deepfe_score), ("deepvs-align", deepvs_score)):
        for regions in (1, 3):
            score = lambda *a, of=of, B=regions: of(*a, B)  # noqa: E731
            variant = "" if regions == 1 else f"{regions}_regions"
            freeze(name, {**sizes, "regions": regions}, None, variant, hinge(score, 1))
