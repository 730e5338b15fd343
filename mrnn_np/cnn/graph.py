"""Running a network: only what is needed, and nothing kept longer than needed.

Before the first image, `plan` decides four things. Dead layers, on which no wanted
output depends, are left out. A ReLU that alone reads the layer before it is fused with
that layer, so it is applied while the numbers are at hand. A depthwise layer and the
1x1 filters before it become one step, if nobody else reads what is between them. Each
output is dropped after its last reader (liveness), so that a deep network needs the
memory of its two or three largest neighbours and not of all its layers.

`PlainEngine` carries the plan out in NumPy, a layer at a time: the engine to read. The
fast one (cnn/fast) does the same and is tested against it.

Knows: who reads whom. Does not know: what the operations compute.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.operations import WEIGHTED, apply
from mrnn_np.runtime.threads import Team

Part = tuple[Layer, str | None]  # a layer, and the ReLU that is applied at once


@dataclass(frozen=True)
class Step:
    """What is computed at once.

    parts : one layer, or 1x1 filters and the depthwise layer that alone reads what they
        give; each with None or the ReLU that is applied at once.
    output : the name the result is stored under (the ReLU's, if there is one).
    finished : names whose arrays are not needed after this step.
    """

    parts: tuple[Part, ...]
    output: str
    finished: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the first part reads."""
        return self.parts[0][0].inputs


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

    steps: list[tuple[tuple[Part, ...], str]] = []
    fused: set[str] = set()
    for layer in layers:
        if layer.name in fused:
            continue
        activation, output = None, layer.name
        following = readers.get(layer.name, [])
        if layer.op in WEIGHTED and layer.name not in wanted and len(following) == 1:
            if following[0].op in ("relu", "relu6"):
                activation, output = following[0].op, following[0].name
                fused.add(output)
        parts: tuple[Part, ...] = ((layer, activation),)
        if steps and layer.inputs == (steps[-1][1],):
            before, name = steps[-1]
            if (
                len(readers[name]) == 1
                and name not in wanted
                and _can_expand(before, layer)
            ):
                parts = steps.pop()[0] + parts
        steps.append((parts, output))

    seen, plan_ = set(wanted), []
    for parts, output in reversed(steps):
        inputs = parts[0][0].inputs
        finished = tuple(name for name in set(inputs) if name not in seen)
        seen.update(inputs)
        plan_.append(Step(parts, output, finished))
    return plan_[::-1]


def _can_expand(parts: tuple[Part, ...], layer: Layer) -> bool:
    """Tell whether parts and a layer are 1x1 filters and a depthwise layer."""
    return len(parts) == 1 and parts[0][0].is_pointwise and layer.op == "depthwise"


def run(
    steps: list[Step], weights: dict[str, np.ndarray], values: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Carry out steps, one layer after the other, and return the wanted outputs.

    Parameters
    ----------
    steps : from `plan`, or the last ones of it.
    weights : ``<layer>.weight`` and ``<layer>.bias``, in the dtype of the values.
    values : name -> (N, ...) of what the first steps read: ``{"input": pictures}``.
    """
    values = dict(values)
    for step in steps:
        output = [values[name] for name in step.inputs]
        for layer, activation in step.parts:
            output = [apply(layer, output, weights, activation)]
        values[step.output] = output[0]
        del output
        for name in step.finished:
            del values[name]
    return values


class PlainEngine:
    """Runs a network in NumPy, layer after layer, in one thread of ours.

    Parameters
    ----------
    layers : in execution order.
    weights : ``<layer>.weight`` and ``<layer>.bias``, float32.
    """

    def __init__(self, layers: list[Layer], weights: dict[str, np.ndarray]) -> None:
        self.layers, self.weights = layers, weights

    def map(
        self,
        function: Callable[[list, Team], np.ndarray],
        batches: Iterable[list],
        wanted: tuple[str, ...],
    ) -> Iterator[np.ndarray]:
        """Yield function(batch, team) of every batch, in order."""
        alone = Team()
        yield from (function(batch, alone) for batch in batches)

    def outputs(
        self,
        x: np.ndarray,
        wanted: tuple[str, ...],
        result: Callable[[np.ndarray], np.ndarray] = np.copy,
        team: Team | None = None,
    ) -> dict[str, np.ndarray]:
        """Return ``result(output)`` for the wanted outputs of x (N, H, W, 3)."""
        values = run(plan(self.layers, wanted), self.weights, {"input": x})
        return {name: result(values[name]) for name in wanted}
