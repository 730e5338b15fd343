"""Running a network: only what is needed, and nothing kept longer than needed.

Before the first image, `plan` decides three things. Layers that no wanted output
depends on are left out. A ReLU that alone reads the layer before it is applied by that
layer, while the numbers are in cache. After each step, the outputs that nobody will
read again are dropped, so that a deep network needs the memory of its two or three
largest neighbours and not of all its layers.

Knows: who reads whom. Does not know: what the operations compute.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.operations import WEIGHTED, apply
from mrnn_np.kernels.room import OUTSIDE, Room


@dataclass(frozen=True)
class Step:
    """One call of an operation.

    layer : what is computed.
    activation : None, or the ReLU that is applied at once.
    output : the name its result is stored under (the ReLU's, if there is one).
    finished : names whose arrays are not needed after this step.
    """

    layer: Layer
    activation: str | None
    output: str
    finished: tuple[str, ...]


def plan(layers: list[Layer], wanted: Iterable[str]) -> list[Step]:
    """Return the steps that compute the wanted outputs.

    Parameters
    ----------
    layers : a network in execution order.
    wanted : names of layers, each of them in `layers`.
    """
    wanted = set(wanted)
    needed = set(wanted)
    for layer in reversed(layers):
        if layer.name in needed:
            needed.update(layer.inputs)
    layers = [layer for layer in layers if layer.name in needed]

    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)

    steps, fused = [], set()
    for layer in layers:
        if layer.name in fused:
            continue
        activation, output = None, layer.name
        following = readers.get(layer.name, [])
        if layer.op in WEIGHTED and layer.name not in wanted and len(following) == 1:
            if following[0].op in ("relu", "relu6"):
                activation, output = following[0].op, following[0].name
                fused.add(output)
        steps.append((layer, activation, output))

    seen, plan_ = set(wanted), []
    for layer, activation, output in reversed(steps):
        finished = tuple(name for name in set(layer.inputs) if name not in seen)
        seen.update(layer.inputs)
        plan_.append(Step(layer, activation, output, finished))
    return plan_[::-1]


def run(
    steps: list[Step],
    weights: dict[str, np.ndarray],
    x: np.ndarray,
    room: Room = OUTSIDE,
    prepared: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Carry out a plan on a batch and return the wanted outputs by name.

    They lie in the memory of the room, which is used again when they are forgotten.

    Parameters
    ----------
    steps : from `plan`.
    weights : ``<layer>.weight`` and ``<layer>.bias``, in the dtype of `x`.
    x : (N, H, W, 3).
    room : memory and threads to work with.
    prepared : see `apply`: give the same dict again to save the preparation.
    """
    prepared = {} if prepared is None else prepared
    values = {"input": x}
    for step in steps:
        inputs = [values[name] for name in step.layer.inputs]
        values[step.output] = apply(
            step.layer, inputs, weights, step.activation, room, prepared
        )
        del inputs
        for name in step.finished:
            del values[name]
    return values
