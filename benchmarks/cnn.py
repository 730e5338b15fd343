"""Pretrained networks: this project, PyTorch (channels_last) and onnxruntime.

    python benchmarks/cnn.py [--repeats R] [--cpu]

VGG-16 is run to fc7, with random weights for its fully connected layers, on pictures
in memory. EfficientNet-Lite0 and SqueezeNet start from JPEG files. Our threads share
all of the work. The peers' pictures are read and prepared by the same code in one
thread, as people do it, before the peer runs the whole batch. All of them get as many
threads as NumPy's BLAS has (OPENBLAS_NUM_THREADS).
"""

import argparse
import io

import numpy as np
from cnn_peers import onnx_network, torch_network
from PIL import Image
from timing import Row, blas_threads, interleave, new_memory

from mrnn_np.cnn import CNN, PREPROCESSING
from mrnn_np.cnn.architectures import build
from mrnn_np.cnn.shapes import weight_shapes
from mrnn_np.convert import load_cnn

WORST = 1e-4  # of the largest number of the output: what "the same" means
SIDE = (500, 375)  # of the photographs, as in Flickr8k


def drawn_cnn(architecture: str, seed: int = 0) -> CNN:
    """Return a network of random weights; speed does not depend on them."""
    rng = np.random.default_rng(seed)
    preprocessing = PREPROCESSING[architecture, None]
    weights = {}
    for name, shape in weight_shapes(build(architecture), preprocessing.size).items():
        fan_in = np.prod(shape[:-1])
        scale = np.sqrt(2 / fan_in) if name.endswith("weight") else 0.01
        weights[name] = rng.standard_normal(shape, np.float32) * np.float32(scale)
    header = {
        "name": architecture,
        "architecture": architecture,
        "preprocessing": preprocessing.to_dict(),
    }
    return CNN(header, weights)


def peers_of(cnn: CNN, wanted: tuple[str, ...], size: int) -> dict:
    """Return the peers' functions: pictures of `size` -> outputs of some layers."""
    last = max(cnn.layer_names.index(name) for name in wanted)
    layers = cnn.layers[: last + 1]
    names = {layer.name for layer in layers}
    weights = {
        key: array
        for key, array in cnn.weights.items()
        if key.rpartition(".")[0] in names
    }
    rest = (layers, weights, size, wanted, blas_threads())
    return {"PyTorch": torch_network(*rest), "onnxruntime": onnx_network(*rest)}


def agree(ours: np.ndarray, theirs: np.ndarray, name: str) -> None:
    """Stop unless a peer computed what we compute."""
    worst = np.abs(theirs - ours).max() / np.abs(ours).max()
    if not worst < WORST:
        raise SystemExit(f"{name} differs by {worst}: not the same network")


def compare(job, ours, peers, needed, repeats, cpu) -> list[Row]:
    """Return one row a peer."""
    mine, *theirs = interleave([ours, *peers.values()], repeats, cpu)
    memory = new_memory(ours)
    return [
        Row(job, mine, name, peer, needed, memory)
        for name, peer in zip(peers, theirs, strict=True)
    ]


def vgg_rows(counts: tuple[int, ...], repeats: int, cpu: bool) -> list[Row]:
    """Time VGG-16 from the prepared picture to fc7."""
    cnn = drawn_cnn("vgg16")
    peers = peers_of(cnn, ("relu7",), 224)
    rows = []
    for count in counts:
        x = np.random.default_rng(count).standard_normal((count, 224, 224, 3))
        x = x.astype(np.float32)
        ours = cnn.forward(x, ["relu7"])["relu7"]
        for name, run in peers.items():
            agree(ours, run(x)[0], name)
        rows += compare(
            f"VGG-16 to fc7, {count} image(s)",
            lambda x=x: cnn.forward(x, ["relu7"]),
            {name: lambda x=x, run=run: run(x) for name, run in peers.items()},
            1.3,
            repeats,
            cpu,
        )
    return rows


def photographs(count: int) -> list[bytes]:
    """Return JPEG files with the smooth shapes and the noise of photographs."""
    rng, files = np.random.default_rng(0), []
    for _ in range(count):
        coarse = rng.integers(0, 256, (12, 16, 3), np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize(SIDE, Image.BICUBIC))
        noisy = pixels + rng.normal(0, 8, pixels.shape)
        file = io.BytesIO()
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def feature_rows(
    name: str, counts: tuple[int, ...], repeats: int, cpu: bool
) -> list[Row]:
    """Time features from JPEG files."""
    cnn = load_cnn(name)
    size = cnn.feature_preprocessing.size
    peers = peers_of(cnn, cnn.feature_layers, size)

    def pictures(files):
        return [Image.open(io.BytesIO(file)) for file in files]

    def peer(run, files):
        outputs = run(cnn.feature_preprocessing(pictures(files)))
        return np.hstack([o.mean((1, 2)) if o.ndim == 4 else o for o in outputs])

    rows = []
    for count in counts:
        files = photographs(count)
        ours = cnn.features(pictures(files))
        for peer_name, run in peers.items():
            agree(ours, peer(run, files), peer_name)
        rows += compare(
            f"{cnn.architecture} features, {count} JPEG(s)",
            lambda files=files: cnn.features(pictures(files)),
            {
                name: lambda run=run, files=files: peer(run, files)
                for name, run in peers.items()
            },
            1.0,
            repeats,
            cpu,
        )
    return rows


def measure(repeats: int = 7, cpu: bool = False) -> list[Row]:
    """Return all rows of this file; `cpu` as in `interleave`."""
    return [
        *vgg_rows((1, 8), repeats, cpu),
        *feature_rows("efficientnet_lite0", (1, 32), repeats, cpu),
        *feature_rows("squeezenet1_1", (1, 32), repeats, cpu),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cpu", action="store_true", help="count CPU seconds")
    given = parser.parse_args()
    for row in measure(given.repeats, given.cpu):
        print(row)
