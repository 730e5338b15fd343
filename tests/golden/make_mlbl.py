"""Freeze the two log-bilinear models, with their own weights tied and not.

    pip install torch && python tests/golden/make_mlbl.py

The context of a word is taken from the padded sentence, a slice a word.
"""

import torch
from model_cases import START, freeze

SIZES = {"embedding_size": 4, "context_size": 3, "code_size": 5}


def rhat_of(p, ids, image, vectors, n):
    """Return code (H,) and the predicted vector of every word, (T, K)."""
    K = vectors.shape[1]
    code = torch.relu(image @ p["J"] + p["bJ"])
    padded = [START] * n + list(ids)
    rows = []
    for t in range(len(ids) + 1):
        before = padded[t : t + n][::-1]  # the newest first
        rows.append(
            sum(vectors[w] @ p["C"][i * K : (i + 1) * K] for i, w in enumerate(before))
            + code @ p["M"]
        )
    return code, torch.stack(rows)


def mlbl_b(p, ids, image):
    _, rhat = rhat_of(p, ids, image, p["E1"], SIZES["context_size"])
    top = p["Wo"] if "Wo" in p else p["E1"].T
    return rhat @ top + p["bo"]


def mlbl_f(p, ids, image):
    vectors = p["E1"] @ p["Wfx"].T
    code, rhat = rhat_of(p, ids, image, vectors, SIZES["context_size"])
    if "Wo" in p:
        return ((rhat @ p["Wfx"]) * (code @ p["Wfv"])) @ p["Wo"] + p["bo"]
    # The tensor that the factors stand for: a matrix of word vectors an image.
    tensor = torch.einsum("kf,hf,vf->khv", p["Wfx"], p["Wfv"], p["E1"])
    return torch.einsum("tk,h,khv->tv", rhat, code, tensor) + p["bo"]


if __name__ == "__main__":
    freeze("mlbl-b", SIZES, mlbl_b)
    freeze("mlbl-b", {**SIZES, "tied": False}, mlbl_b, "untied")
    freeze("mlbl-f", {**SIZES, "factor_size": 6}, mlbl_f)
    freeze("mlbl-f", {**SIZES, "factor_size": 6, "tied": False}, mlbl_f, "untied")
