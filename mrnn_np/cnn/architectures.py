"""The networks, as lists of layers that can be read from top to bottom.

A layer is a record: its name, its operation, where its input comes from, and its
numbers. The list is in execution order; "input" is the picture. Weights are found by
name (`conv1.weight`, `conv1.bias`), and any name can be tapped.

Knows: the structure of five published networks. Does not know: how an operation is
computed (operations.py), what shapes result (shapes.py), where weights come from.
"""

from dataclasses import dataclass

from mrnn_np.runtime.errors import InputError


@dataclass(frozen=True)
class Layer:
    """One layer of a network. Numbers that an operation does not use stay as they are.

    name : unique in its network.
    op : a key of `operations.WEIGHTED` or `operations.WEIGHTLESS`.
    inputs : names of the layers it reads.
    channels : output channels of a convolution, outputs of a fully connected layer.
    kernel, stride, padding, groups : of convolutions and pooling (see kernels).
    ceil : whether the last window of a pooling layer may hang over the edge.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    channels: int = 0
    kernel: int = 0
    stride: int = 1
    padding: int | str = 0
    groups: int = 1
    ceil: bool = False

    @property
    def is_pointwise(self) -> bool:
        """Tell whether this is a convolution of single pixels, with 1x1 filters."""
        numbers = (self.kernel, self.stride, self.padding, self.groups)
        return self.op == "convolution" and numbers == (1, 1, 0, 1)


def alexnet() -> list[Layer]:
    """AlexNet as one tower, 64 to 256 channels, without normalisation.

    The layout of torchvision: Krizhevsky, "One weird trick" (2014), which replaced the
    two towers of Krizhevsky et al. (2012). 224 px; fc7 is the 7th layer that the
    m-RNN paper takes its features from.
    """
    return [
        Layer("conv1", "convolution", ("input",), 64, kernel=11, stride=4, padding=2),
        Layer("relu1", "relu", ("conv1",)),
        Layer("pool1", "max_pool", ("relu1",), kernel=3, stride=2),
        Layer("conv2", "convolution", ("pool1",), 192, kernel=5, padding=2),
        Layer("relu2", "relu", ("conv2",)),
        Layer("pool2", "max_pool", ("relu2",), kernel=3, stride=2),
        Layer("conv3", "convolution", ("pool2",), 384, kernel=3, padding=1),
        Layer("relu3", "relu", ("conv3",)),
        Layer("conv4", "convolution", ("relu3",), 256, kernel=3, padding=1),
        Layer("relu4", "relu", ("conv4",)),
        Layer("conv5", "convolution", ("relu4",), 256, kernel=3, padding=1),
        Layer("relu5", "relu", ("conv5",)),
        Layer("pool5", "max_pool", ("relu5",), kernel=3, stride=2),  # 6 x 6 x 256
        Layer("dropout6", "dropout", ("pool5",)),
        Layer("fc6", "fully_connected", ("dropout6",), 4096),
        Layer("relu6", "relu", ("fc6",)),
        Layer("dropout7", "dropout", ("relu6",)),
        Layer("fc7", "fully_connected", ("dropout7",), 4096),
        Layer("relu7", "relu", ("fc7",)),
        Layer("fc8", "fully_connected", ("relu7",), 1000),
    ]


def vgg(convolutions: tuple[int, ...]) -> list[Layer]:
    """VGG: five stages of 3x3 convolutions, each stage ended by a 2x2 pooling.

    Simonyan and Zisserman (2015), table 1, configurations D (16 layers) and E (19).

    Parameters
    ----------
    convolutions : number of convolutions in each of the five stages.
    """
    layers, source = [], "input"
    for stage, channels in enumerate((64, 128, 256, 512, 512), start=1):
        for i in range(1, convolutions[stage - 1] + 1):
            conv, relu = f"conv{stage}_{i}", f"relu{stage}_{i}"
            layers += [
                Layer(conv, "convolution", (source,), channels, kernel=3, padding=1),
                Layer(relu, "relu", (conv,)),
            ]
            source = relu
        pool = f"pool{stage}"
        layers.append(Layer(pool, "max_pool", (source,), kernel=2, stride=2))
        source = pool
    return [
        *layers,  # pool5 is 7 x 7 x 512
        Layer("fc6", "fully_connected", ("pool5",), 4096),
        Layer("relu6", "relu", ("fc6",)),
        Layer("drop6", "dropout", ("relu6",)),
        Layer("fc7", "fully_connected", ("drop6",), 4096),
        Layer("relu7", "relu", ("fc7",)),
        Layer("drop7", "dropout", ("relu7",)),
        Layer("fc8", "fully_connected", ("drop7",), 1000),
    ]


def squeezenet1_1(ceil: bool) -> list[Layer]:
    """SqueezeNet 1.1: "fire" modules squeeze the channels, then expand them twice.

    Iandola et al. (2016) and their release 1.1. Its class scores are the means of a
    map of 1000 channels: there is no fully connected layer.

    Parameters
    ----------
    ceil : rounding of the pooling layers: up in the Caffe and torchvision models
        (224 px), down in the Keras model (227 px).
    """

    def pool(name: str, source: str) -> Layer:
        return Layer(name, "max_pool", (source,), kernel=3, stride=2, ceil=ceil)

    def fire(name: str, source: str, squeeze: int, expand: int) -> list[Layer]:
        one, three = f"{name}.expand1x1", f"{name}.expand3x3"
        squeezed = f"{name}.squeeze_relu"
        return [
            Layer(f"{name}.squeeze", "convolution", (source,), squeeze, kernel=1),
            Layer(squeezed, "relu", (f"{name}.squeeze",)),
            Layer(one, "convolution", (squeezed,), expand, kernel=1),
            Layer(f"{one}_relu", "relu", (one,)),
            Layer(three, "convolution", (squeezed,), expand, kernel=3, padding=1),
            Layer(f"{three}_relu", "relu", (three,)),
            Layer(name, "concat", (f"{one}_relu", f"{three}_relu")),
        ]

    return [
        Layer("conv1", "convolution", ("input",), 64, kernel=3, stride=2),
        Layer("relu1", "relu", ("conv1",)),
        pool("pool1", "relu1"),
        *fire("fire2", "pool1", 16, 64),
        *fire("fire3", "fire2", 16, 64),
        pool("pool3", "fire3"),
        *fire("fire4", "pool3", 32, 128),
        *fire("fire5", "fire4", 32, 128),
        pool("pool5", "fire5"),
        *fire("fire6", "pool5", 48, 192),
        *fire("fire7", "fire6", 48, 192),
        *fire("fire8", "fire7", 64, 256),
        *fire("fire9", "fire8", 64, 256),
        Layer("drop9", "dropout", ("fire9",)),
        Layer("conv10", "convolution", ("drop9",), 1000, kernel=1),
        Layer("relu10", "relu", ("conv10",)),
        Layer("pool10", "global_average_pool", ("relu10",)),
    ]


def efficientnet_lite0() -> list[Layer]:
    """EfficientNet-Lite0: inverted residual blocks of 1x1, depthwise and 1x1.

    Tan and Le (2019) for the blocks; the Lite variant drops squeeze-and-excite and
    replaces swish by ReLU6. A block expands the channels, filters each on its own,
    projects back without an activation, and adds its input where the shapes agree.
    Batch norms are folded into the convolutions when weights are converted.
    """
    # repeat, kernel, stride of the first, expansion, output channels
    stages = [
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ]
    layers = [
        Layer("stem", "convolution", ("input",), 32, 3, stride=2, padding="SAME"),
        Layer("stem_relu6", "relu6", ("stem",)),
    ]
    source, channels, number = "stem_relu6", 32, 0
    for repeat, kernel, first_stride, expand, c_out in stages:
        for stride in [first_stride] + [1] * (repeat - 1):
            number += 1
            name, inside = f"block{number}", source
            if expand > 1:
                wide = f"{name}.expand"
                layers += [
                    Layer(wide, "convolution", (source,), channels * expand, kernel=1),
                    Layer(f"{wide}_relu6", "relu6", (wide,)),
                ]
                inside = f"{wide}_relu6"
            deep, flat = f"{name}.depthwise", f"{name}.project"
            layers += [
                Layer(deep, "depthwise", (inside,), 0, kernel, stride, "SAME"),
                Layer(f"{deep}_relu6", "relu6", (deep,)),
                Layer(flat, "convolution", (f"{deep}_relu6",), c_out, kernel=1),
            ]
            if stride == 1 and channels == c_out:
                layers.append(Layer(name, "add", (flat, source)))
            else:
                layers.append(Layer(name, "identity", (flat,)))
            source, channels = name, c_out
    return [
        *layers,
        Layer("head", "convolution", (source,), 1280, kernel=1),
        Layer("head_relu6", "relu6", ("head",)),
        Layer("pool", "global_average_pool", ("head_relu6",)),
        Layer("dropout", "dropout", ("pool",)),
        Layer("classifier", "fully_connected", ("dropout",), 1000),
    ]


# (architecture, variant) -> layers. A weight file's header names both.
NETWORKS = {
    ("alexnet", None): alexnet,
    ("vgg16", None): lambda: vgg((2, 2, 3, 3, 3)),
    ("vgg19", None): lambda: vgg((2, 2, 4, 4, 4)),
    ("squeezenet1_1", "torchvision"): lambda: squeezenet1_1(ceil=True),
    ("squeezenet1_1", "keras"): lambda: squeezenet1_1(ceil=False),
    ("efficientnet_lite0", None): efficientnet_lite0,
}

# The layers whose outputs, one after another, describe an image: the first choice that
# a file has all the weights for. A map is averaged over its positions. The paper takes
# fc7 after its ReLU; SqueezeNet has nothing like it, and what precedes its 1000 class
# maps says more than class scores.
#
# EfficientNet-Lite0's last layer knows classes; wide layers before it still know parts,
# colours and textures. On Flickr8k dev a linear map from the features to the words of
# the captions found the image of a sentence first (R@1) in 17.2 % of the cases with the
# last layer alone, 18.9 % with block15 beside it, 19.2 % with block11 too.
FEATURE_LAYERS = {
    "alexnet": (("relu7",), ("pool5",)),
    "vgg16": (("relu7",), ("pool5",)),
    "vgg19": (("relu7",), ("pool5",)),
    "squeezenet1_1": (("fire9",),),
    "efficientnet_lite0": (("pool", "block15.expand_relu6", "block11.expand_relu6"),),
}
# The last layer that still knows where in the picture something is, and is no map of
# classes: what regions are cut from. Of a file that ends before it, its last map.
REGION_LAYERS = {
    "alexnet": "pool5",
    "vgg16": "pool5",
    "vgg19": "pool5",
    "squeezenet1_1": "fire9",
    "efficientnet_lite0": "head_relu6",
}
# Pixels of the square for features, where it is not the one that a network classifies.
# A network trained on random crops saw objects larger than a whole picture in the same
# square shows them, and does better when the square is larger (Touvron et al. 2019,
# "Fixing the train-test resolution discrepancy"): 16.8 % became 17.2 % with 288 in
# place of 224, R@10 52.6 % became 54.1 %.
FEATURE_SIZES = {"efficientnet_lite0": 288}


def build(architecture: str, variant: str | None = None) -> list[Layer]:
    """Return the layers of a network in execution order.

    Raises
    ------
    InputError : no such architecture or variant.
    """
    try:
        return NETWORKS[architecture, variant]()
    except KeyError:
        known = ", ".join(f"{a} ({v})" if v else a for a, v in NETWORKS)
        raise InputError(
            f"no network {architecture!r} of variant {variant!r}; known: {known}"
        ) from None
