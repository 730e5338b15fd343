"""Freeze NIC, LRCN and DeepVS, the captioners that the m-RNN is compared with.

    pip install torch && python tests/golden/make_peers.py

PyTorch's own LSTM is not used: gates are written out from the equations.
"""

import torch
from model_cases import START, freeze, g

SIZES = {"embedding_size": 3, "recurrent_size": 4}


def lstm(z, state, U, b):
    """z is all that the gates are told but the state."""
    (h, c), R = state, len(state[0])
    z = z + h @ U + b
    i, f, o = (torch.sigmoid(z[k * R : (k + 1) * R]) for k in range(3))
    c = f * c + i * torch.tanh(z[3 * R :])
    return o * torch.tanh(c), c


def zeros(p):
    """Return h and c before anything was read."""
    R = len(p["br"] if "br" in p else p["1.br"]) // 4
    return (torch.zeros(R, dtype=torch.float64),) * 2


def logits(p, h):
    """Return the scores of all words, with tied weights if there is no Wo."""
    if "Wo" in p:
        return h @ p["Wo"] + p["bo"]
    return p["E1"] @ g(h @ p["UI"]) + p["bo"]


def nic(p, ids, image):
    state = lstm(image @ p["Wi"] @ p["W"], zeros(p), p["U"], p["br"])
    out = []
    for word in [START, *ids]:
        state = lstm(p["E1"][word] @ p["W"], state, p["U"], p["br"])
        out.append(logits(p, state[0]))
    return torch.stack(out)


def lrcn(layers, sees_image):
    """Return so many LSTMs, of which one is told of the image, counted from 1."""

    def run(p, ids, image):
        states = [zeros(p)] * layers
        out = []
        for word in [START, *ids]:
            x = p["E1"][word]
            for n in range(layers):
                z = x @ p[f"{n + 1}.W"]
                if n + 1 == sees_image:
                    z = z + image @ p["Wi"]
                states[n] = lstm(z, states[n], p[f"{n + 1}.U"], p[f"{n + 1}.br"])
                x = states[n][0]
            out.append(logits(p, x))
        return torch.stack(out)

    return run


def deepvs(p, ids, image):
    h = torch.zeros_like(p["br"])
    out = []
    for t, word in enumerate([START, *ids], 1):
        v = image @ p["Wi"] if t == 1 else 0
        h = torch.relu(p["E1"][word] @ p["Wx"] + h @ p["U"] + p["br"] + v)
        out.append(logits(p, h))
    return torch.stack(out)


if __name__ == "__main__":
    freeze("nic", SIZES, nic)
    freeze("nic", {**SIZES, "tied": True}, nic, "tied")
    freeze("lrcn", SIZES, lrcn(2, 2))
    unfactored = {"factored": False}
    freeze("lrcn", {**SIZES, "recurrent_layers": 4}, lrcn(4, 3), "4f")
    freeze("lrcn", {**SIZES, **unfactored}, lrcn(2, 1), "2u")
    freeze("lrcn", {**SIZES, **unfactored, "recurrent_layers": 1}, lrcn(1, 1), "1u")
    freeze("deepvs", SIZES, deepvs)
