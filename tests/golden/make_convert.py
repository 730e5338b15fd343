"""Make the small weight files that the readers are tested with, by their owners.

Run by hand, with PyTorch and safetensors installed: python tests/golden/make_convert.py
The tests read what it wrote (tests/golden/convert/) and import neither.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "convert"


def make_tensors() -> OrderedDict:
    """Tensors of every kind a .pth may hold, most of them awkward."""
    rng = torch.Generator().manual_seed(20260611)
    base = torch.randn(60, generator=rng)
    tensors = OrderedDict()
    tensors["plain"] = torch.randn(2, 3, 4, generator=rng)
    tensors["transposed"] = torch.randn(4, 3, 2, 2, generator=rng).permute(3, 2, 0, 1)
    tensors["shared.a"] = base[5:35].view(5, 6)
    tensors["shared.b"] = base[10:50:4]  # overlaps a, every fourth element
    tensors["shared.c"] = base.view(6, 10).t()[2:7, 1:4]
    tensors["half"] = torch.randn(3, 5, generator=rng).half()
    tensors["bfloat16"] = torch.randn(3, 5, generator=rng).bfloat16()
    tensors["double"] = torch.randn(4, generator=rng, dtype=torch.float64)
    tensors["count"] = torch.tensor(1234567890123)  # int64, no dimension
    tensors["int"] = torch.arange(-3, 3, dtype=torch.int32)
    tensors["short"] = torch.arange(-3, 3, dtype=torch.int16)
    tensors["char"] = torch.arange(-3, 3, dtype=torch.int8)
    tensors["byte"] = torch.arange(250, 256).to(torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 2, generator=rng))
    return tensors


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Say what a reader should find."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    tensors = make_tensors()
    expected = {name: as_array(tensor) for name, tensor in tensors.items()}
    np.savez(FOLDER / "expected.npz", **expected)
    torch.save(tensors, FOLDER / "zip.pth")
    torch.save(tensors, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    # What a training script leaves: the weights are one entry among others.
    checkpoint = {
        "epoch": 3,
        "args": ["x", 1.5, None, True],
        "state_dict": OrderedDict(
            ("module." + name, tensors[name]) for name in ("plain", "half")
        ),
    }
    torch.save(checkpoint, FOLDER / "checkpoint.pth")
    # A whole model names its class, which no reader should look up.
    torch.save(torch.nn.Linear(2, 2), FOLDER / "whole_model.pth")
    flat = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    flat = {name: tensor.contiguous() for name, tensor in flat.items()}
    save_file(flat, FOLDER / "small.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
