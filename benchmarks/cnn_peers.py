"""The same networks in PyTorch and onnxruntime, built from our lists of layers.

Both get our weights, so `agree` can check that everybody computes the same.

Knows: our `Layer` records and the peers' interfaces. Does not know: time.
"""

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.shapes import output_shapes, window
from mrnn_np.cnn.windows import pair


def torch_network(
    layers: list[Layer],
    weights: dict[str, np.ndarray],
    size: int,
    wanted: tuple[str, ...],
    threads: int,
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return a function (N, H, W, 3) -> outputs of some layers, in channels_last."""
    torch.set_num_threads(threads)
    shapes = output_shapes(layers, size)
    tensors = {}
    for key, array in weights.items():
        tensor = torch.tensor(array)
        if array.ndim == 4:  # (kh, kw, in, out) -> (out, in, kh, kw)
            tensor = tensor.permute(3, 2, 0, 1)
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        elif array.ndim == 3:  # (kh, kw, c) -> (c, 1, kh, kw)
            tensor = tensor.permute(2, 0, 1)[:, None].contiguous()
        elif array.ndim == 2:
            tensor = tensor.T.contiguous()  # (in, out) -> (out, in), its own layout
        tensors[key] = tensor

    def one(layer, x, y=None):
        weight = tensors.get(f"{layer.name}.weight")
        bias = tensors.get(f"{layer.name}.bias")
        if layer.op in ("convolution", "depthwise"):
            sides = _sides(layer, shapes)
            groups = len(weight) if layer.op == "depthwise" else layer.groups
            (top, bottom), (left, right) = sides
            if (top, left) == (bottom, right):
                padding = (top, left)
            else:
                x, padding = F.pad(x, (left, right, top, bottom)), 0
            return F.conv2d(x, weight, bias, layer.stride, padding, 1, groups)
        if layer.op == "fully_connected":
            if x.ndim == 4:  # our rows run over (H, W, C)
                x = x.permute(0, 2, 3, 1)
            return F.linear(x.flatten(1), weight, bias)
        if layer.op == "max_pool":
            return F.max_pool2d(x, layer.kernel, layer.stride, 0, 1, layer.ceil)
        if layer.op == "concat":
            return torch.cat((x, y), 1)
        return {
            "relu": lambda: F.relu_(x),  # in place, as in torchvision
            "relu6": lambda: F.relu6(x, inplace=True),
            "global_average_pool": lambda: x.mean((2, 3)),
            "add": lambda: x + y,
            "identity": lambda: x,
            "dropout": lambda: x,
        }[layer.op]()

    def run(x: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            values = {"input": torch.from_numpy(x).permute(0, 3, 1, 2)}  # channels_last
            for layer in layers:
                inputs = [values[name] for name in layer.inputs]
                values[layer.name] = one(layer, *inputs)
            outputs = [values[name] for name in wanted]
            return [
                (o.permute(0, 2, 3, 1) if o.ndim == 4 else o).numpy() for o in outputs
            ]

    return run


def onnx_network(
    layers: list[Layer],
    weights: dict[str, np.ndarray],
    size: int,
    wanted: tuple[str, ...],
    threads: int,
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return the same function, computed by onnxruntime with all its optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    model = onnx_model(layers, weights, size, wanted).SerializeToString()
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )

    def run(x: np.ndarray) -> list[np.ndarray]:
        # Its layout is (N, C, H, W): the pictures are turned, which costs little.
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        outputs = session.run(list(wanted), {"input": x})
        return [o.transpose(0, 2, 3, 1) if o.ndim == 4 else o for o in outputs]

    return run


def onnx_model(
    layers: list[Layer],
    weights: dict[str, np.ndarray],
    size: int,
    wanted: tuple[str, ...],
) -> onnx.ModelProto:
    """Write a network as ONNX, for any number of images."""
    shapes = output_shapes(layers, size)
    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    for layer in layers:
        inputs, name, more = list(layer.inputs), layer.name, {}
        weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        if layer.op in ("convolution", "depthwise", "max_pool"):
            (top, bottom), (left, right) = _sides(layer, shapes)
            more = {
                "kernel_shape": pair(layer.kernel),
                "strides": pair(layer.stride),
                "pads": (top, left, bottom, right),
            }
        if layer.op == "convolution":
            op, weight = "Conv", weight.transpose(3, 2, 0, 1)
            more["group"] = layer.groups
        elif layer.op == "depthwise":
            op, weight = "Conv", weight.transpose(2, 0, 1)[:, None]
            more["group"] = len(weight)
        elif layer.op == "max_pool":
            op, more["ceil_mode"] = "MaxPool", int(layer.ceil)
        elif layer.op == "fully_connected":
            op, shape = "Gemm", shapes[layer.inputs[0]]
            if len(shape) == 3:  # it flattens (C, H, W), our rows run over (H, W, C)
                weight = weight.reshape(*shape, -1).transpose(2, 0, 1, 3)
                weight = weight.reshape(-1, weight.shape[3])
                nodes.append(helper.make_node("Flatten", inputs, [f"{name}.flat"]))
                inputs = [f"{name}.flat"]
        elif layer.op == "relu6":
            op = "Clip"
            inputs += [
                constant(f"{name}.low", np.float32(0)),
                constant(f"{name}.high", np.float32(6)),
            ]
        elif layer.op == "global_average_pool":
            op, more = "ReduceMean", {"keepdims": 0}
            inputs += [constant(f"{name}.axes", np.array([2, 3]))]
        else:
            op = {"relu": "Relu", "add": "Add", "concat": "Concat"}.get(
                layer.op, "Identity"
            )
            more = {"axis": 1} if op == "Concat" else {}
        if weight is not None:
            inputs += [
                constant(f"{name}.weight", weight),
                constant(f"{name}.bias", bias),
            ]
        nodes.append(helper.make_node(op, inputs, [name], **more))
    real = TensorProto.FLOAT
    outputs = []
    for name in wanted:
        *place, channels = shapes[name]
        shape = ("N", channels, *place)
        outputs.append(helper.make_tensor_value_info(name, real, shape))
    picture = helper.make_tensor_value_info("input", real, ("N", 3, size, size))
    graph = helper.make_graph(nodes, "network", [picture], outputs, constants)
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)


def _sides(layer, shapes):
    return window(layer, shapes[layer.inputs[0]][:2])[0]
