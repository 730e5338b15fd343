"""What the golden script and the tests of the networks must do in the same way.

Inputs, random weights and the choice of sampled activations all come from seeds, so
that only PyTorch's results need to be stored. Needs NumPy, scikit-learn and Pillow.
"""

import zlib

import numpy as np

SAMPLES = 64


def photographs() -> list[np.ndarray]:
    """Return scikit-learn's china.jpg and flower.jpg, uint8 (427, 640, 3) each."""
    from sklearn.datasets import load_sample_image

    return [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]


def random_image(size: int) -> np.ndarray:
    """Return noise that looks like no photograph, (1, size, size, 3) float32."""
    rng = np.random.default_rng(2015)
    return rng.standard_normal((1, size, size, 3)).astype(np.float32)


def summary(name: str, activations: np.ndarray) -> np.ndarray:
    """Return 64 sampled numbers, the mean and the norm of each image's activations.

    activations : (N, ...) with the channels last. Returns (N, 66) float64.
    """
    flat = activations.reshape(len(activations), -1).astype(np.float64)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    picked = flat[:, rng.integers(0, flat.shape[1], SAMPLES)]
    mean, norm = flat.mean(1), np.sqrt((flat**2).sum(1))
    return np.column_stack([picked, mean, norm])


def relative_errors(
    got: np.ndarray, expected: np.ndarray, length: int
) -> tuple[float, float]:
    """Compare two summaries (N, 66) of one layer with `length` activations.

    Returns the largest error of a sample or mean, in units of the layer's root mean
    square (a single activation may be zero), and the relative error of the norm.
    """
    typical = expected[:, -1:] / np.sqrt(length)
    samples = np.abs(got - expected)[:, :-1] / typical
    norm = np.abs(got[:, -1] / expected[:, -1] - 1)
    return float(samples.max()), float(norm.max())


ALEXNET = [(64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)]
ALEXNET_PLACES = (0, 3, 6, 8, 10)
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M",
         512, 512, 512, "M")  # fmt: skip
FIRE_PLACES = (3, 4, 6, 7, 9, 10, 11, 12)
FIRES = [(64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128),
         (256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256)]  # fmt: skip


def torchvision_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of torchvision's state dict: convolutions (out, in, kh, kw)."""
    shapes, classifier = {}, []
    if name == "alexnet":
        for place, (c_out, c_in, kernel) in zip(ALEXNET_PLACES, ALEXNET, strict=True):
            shapes[f"features.{place}.weight"] = (c_out, c_in, kernel, kernel)
        classifier = [(1, 4096, 256 * 6 * 6), (4, 4096, 4096), (6, 1000, 4096)]
    elif name == "vgg16":
        place, c_in = 0, 3
        for c_out in VGG16:
            if c_out != "M":
                shapes[f"features.{place}.weight"] = (c_out, c_in, 3, 3)
                c_in = c_out
            place += 1 if c_out == "M" else 2
        classifier = [(0, 4096, 512 * 7 * 7), (3, 4096, 4096), (6, 1000, 4096)]
    else:
        shapes["features.0.weight"] = (64, 3, 3, 3)
        for place, (c_in, squeeze, expand) in zip(FIRE_PLACES, FIRES, strict=True):
            fire = f"features.{place}"
            shapes[f"{fire}.squeeze.weight"] = (squeeze, c_in, 1, 1)
            shapes[f"{fire}.expand1x1.weight"] = (expand, squeeze, 1, 1)
            shapes[f"{fire}.expand3x3.weight"] = (expand, squeeze, 3, 3)
        shapes["classifier.1.weight"] = (1000, 512, 1, 1)
    for place, c_out, c_in in classifier:
        shapes[f"classifier.{place}.weight"] = (c_out, c_in)
    full = {}
    for key, shape in shapes.items():
        full[key] = shape
        full[key.replace("weight", "bias")] = shape[:1]
    return full


def random_state_dict(name: str) -> dict[str, np.ndarray]:
    """Draw torchvision's state dict with the scale that keeps activations alive.

    He initialisation, standard deviation sqrt(2 / inputs); biases 0.1 times a normal.
    Each tensor has a seed of its own: they can be drawn one at a time, in any order.
    """
    tensors = {}
    for key, shape in torchvision_shapes(name).items():
        rng = np.random.default_rng(zlib.crc32(f"{name} {key}".encode()))
        scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
        tensors[key] = rng.standard_normal(shape, dtype=np.float32)
        tensors[key] *= np.float32(scale)
    return tensors
