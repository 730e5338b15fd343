"""Freeze the m-RNN with GRU and LSTM cells, stacked, and with tied weights.

    pip install torch && python tests/golden/make_mrnn_cells.py

PyTorch's own LSTM is not used: gates are written out from the equations, so that their
order and the peepholes are judged too.
"""

import torch
from model_cases import START, freeze, g

SIZES = {"embedding_size": 3, "recurrent_size": 4, "multimodal_size": 5}


def gru(x, state, W, U, b):
    (h,), R = state, len(state[0])
    u = torch.sigmoid(x @ W[:, :R] + h @ U[:, :R] + b[:R])
    s = torch.sigmoid(x @ W[:, R : 2 * R] + h @ U[:, R : 2 * R] + b[R : 2 * R])
    c = torch.tanh(x @ W[:, 2 * R :] + (s * h) @ U[:, 2 * R :] + b[2 * R :])
    return (u * h + (1 - u) * c,)


def lstm(x, state, W, U, b, peep=None):
    (h, c), R = state, len(state[0])
    peep = torch.zeros(3, R) if peep is None else peep
    z = x @ W + h @ U + b
    i = torch.sigmoid(z[:R] + c * peep[0])
    f = torch.sigmoid(z[R : 2 * R] + c * peep[1])
    c = f * c + i * torch.tanh(z[3 * R :])
    o = torch.sigmoid(z[2 * R : 3 * R] + c * peep[2])
    return o * torch.tanh(c), c


def lines(cell, states, layers=1, tied=False):
    """Return the m-RNN around a cell of so many states."""

    def run(p, ids, image):
        R = p["Vr"].shape[0]
        zeros = torch.zeros(R, dtype=torch.float64)
        state = [(zeros,) * states for _ in range(layers)]
        logits = []
        for word in [START, *ids]:
            w = x = g(g(p["E1"][word]) @ p["W2"] + p["b2"])
            for n in range(layers):
                head = "" if layers == 1 else f"{n + 1}."
                own = [p[head + key] for key in ("W", "U", "br", "peep")
                       if head + key in p]  # fmt: skip
                state[n] = cell(x, state[n], *own)
                x = state[n][0]
            m = g(w @ p["Vw"] + x @ p["Vr"] + image @ p["Vi"] + p["bm"])
            if tied:
                logits.append(p["E1"] @ g(m @ p["UI"]) + p["bo"])
            else:
                logits.append(m @ p["Wo"] + p["bo"])
        return torch.stack(logits)

    return run


def relu(x, state, U, b):
    return (torch.relu(state[0] @ U + x + b),)


if __name__ == "__main__":
    freeze("mrnn", {**SIZES, "cell": "gru"}, lines(gru, 1), "gru")
    freeze("mrnn", {**SIZES, "cell": "lstm"}, lines(lstm, 2), "lstm")
    freeze("mrnn", {**SIZES, "cell": "lstm-peepholes"}, lines(lstm, 2), "peepholes")
    stacked = {**SIZES, "cell": "lstm", "recurrent_layers": 2}
    freeze("mrnn", stacked, lines(lstm, 2, 2), "2_lstm")
    freeze("mrnn", {**SIZES, "tied": True}, lines(relu, 1, tied=True), "tied")
