"""Freeze what PyTorch computes for single operations, and ask onnxruntime too.

    pip install torch onnx onnxruntime && python tests/golden/make_cnn_operations.py

writes tests/golden/cnn_operations.npz: the outputs, channels last, float64, of the
cases in tests/cnn/operation_cases.py. onnxruntime computes the same in float32 (it
knows SAME padding by itself); the script stops if the two disagree.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F

GOLDEN = Path(__file__).parent
sys.path.insert(0, str(GOLDEN.parent / "cnn"))
import operation_cases as cases  # noqa: E402


def first(x: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.moveaxis(x, -1, 1))  # channels last -> first


def last(x: torch.Tensor) -> np.ndarray:
    return np.moveaxis(x.numpy(), 1, -1)


def onnx_answer(op: str, inputs: list[torch.Tensor], **settings) -> np.ndarray:
    """Run one operation in onnxruntime, in float32, result channels last."""
    arrays = {f"in{i}": x.numpy().astype(np.float32) for i, x in enumerate(inputs)}
    kind = onnx.TensorProto.FLOAT
    values = [
        onnx.helper.make_tensor_value_info(name, kind, array.shape)
        for name, array in arrays.items()
    ]
    result = onnx.helper.make_tensor_value_info("out", kind, None)
    node = onnx.helper.make_node(op, list(arrays), ["out"], **settings)
    graph = onnx.helper.make_graph([node], "one", values, [result])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9
    )
    onnxruntime.set_default_logger_severity(3)  # the shapes it guesses are off by one
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.moveaxis(session.run(None, arrays)[0], 1, -1)


def agree(name: str, torch_answer: np.ndarray, other: np.ndarray) -> None:
    assert torch_answer.shape == other.shape, (name, torch_answer.shape, other.shape)
    np.testing.assert_allclose(torch_answer, other, rtol=1e-4, atol=1e-5, err_msg=name)


def convolution(number: int) -> np.ndarray:
    _, _, _, _, kernel, stride, padding, groups = cases.CONVOLUTIONS[number]
    x, weight, bias = cases.convolution_arrays(number)
    x, weight = first(x), torch.tensor(weight.transpose(3, 2, 0, 1))
    how = {"strides": stride, "group": groups}
    padded = x
    if padding == "SAME":
        how["auto_pad"] = "SAME_UPPER"
        sides = []
        for size, window, step in zip(x.shape[2:], kernel, stride, strict=True):
            total = max(0, (-(-size // step) - 1) * step + window - size)
            sides = [total // 2, total - total // 2, *sides]  # F.pad: last axis first
        padded = F.pad(x, sides)
    elif padding != "VALID":
        how["pads"] = [padding] * 4
        padded = F.pad(x, [padding] * 4)
    bias = torch.tensor(bias)
    out = last(F.conv2d(padded, weight, bias, stride, 0, 1, groups))
    agree(f"conv{number}", out, onnx_answer("Conv", [x, weight, bias], **how))
    return out


def main() -> None:
    answers = {}
    for number in range(len(cases.CONVOLUTIONS)):
        answers[f"conv{number}"] = convolution(number)
    for number, (_, _, kernel, stride, padding, ceil) in enumerate(cases.POOLINGS):
        x = first(cases.pooling_array(number))
        how = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        how |= {"pads": [padding] * 4, "ceil_mode": int(ceil)}
        out = last(F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil))
        agree(f"max{number}", out, onnx_answer("MaxPool", [x], **how))
        answers[f"max{number}"] = out
        for counted in (False, True):
            out = last(F.avg_pool2d(x, kernel, stride, padding, ceil, counted))
            name = f"average{number}{'_counted' if counted else ''}"
            onnx_how = how | {"count_include_pad": int(counted)}
            agree(name, out, onnx_answer("AveragePool", [x], **onnx_how))
            answers[name] = out
    for number, (_, _, cells) in enumerate(cases.GRIDS):  # unknown to onnxruntime
        x = first(cases.grid_array(number))
        answers[f"grid{number}"] = last(F.adaptive_avg_pool2d(x, cells))
    for number, (_, size, alpha, beta, k) in enumerate(cases.NORMALISATIONS):
        x = first(cases.normalisation_array(number))
        # Both divide alpha by the size of the window; Krizhevsky does not.
        out = last(F.local_response_norm(x, size, alpha * size, beta, k))
        how = {"size": size, "alpha": alpha * size, "beta": beta, "bias": k}
        agree(f"lrn{number}", out, onnx_answer("LRN", [x], **how))
        answers[f"lrn{number}"] = out
    np.savez_compressed(GOLDEN / "cnn_operations.npz", **answers)
    print(len(answers), "answers")


if __name__ == "__main__":
    main()
