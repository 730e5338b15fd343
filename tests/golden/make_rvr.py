"""Freeze the model with a visual memory, words and reconstruction in one loss.

pip install torch && python tests/golden/make_rvr.py
"""

import torch
from model_cases import END, START, freeze, g

SIZES = {"recurrent_size": 4, "visual_size": 3, "multimodal_size": 5}


def loss(weight):
    """Return the joint loss: the mean over all words of nats and squared errors."""

    def run(p, sentences, images, image_numbers):
        terms = []
        for ids, image in zip(sentences, images, strict=True):
            s = torch.zeros(len(p["s.br"]), dtype=torch.float64)
            u = torch.zeros(len(p["u.br"]), dtype=torch.float64)
            for word, target in zip([START, *ids], [*ids, END], strict=True):
                s = torch.relu(s @ p["s.U"] + p["E1"][word] + p["s.br"])
                u = torch.relu(u @ p["u.U"] + p["Eu"][word] + p["u.br"])
                m = g(s @ p["Vs"] + u @ p["Vu"] + image @ p["Vi"] + p["bm"])
                nats = -torch.log_softmax(m @ p["Wo"] + p["bo"], 0)[target]
                distance = u @ p["Y"] + p["by"] - image
                terms.append(nats + weight * (distance @ distance) / (2 * len(image)))
        return sum(terms) / len(terms)

    return run


if __name__ == "__main__":
    freeze("rvr", {**SIZES, "reconstruction_weight": 0.7}, None, loss=loss(0.7))
