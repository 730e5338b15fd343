"""Batch normalisation, folded into the convolution before it.

Knows: the algebra. Does not know: how a foreign file names its statistics.
"""

import numpy as np


def fold_batch_norm(
    weight: np.ndarray,
    bias: np.ndarray | None,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    eps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight and bias of one convolution that does what two layers did.

    A trained batch norm is a fixed scale and shift of every channel,
    ``gamma * (z - mean) / sqrt(variance + eps) + beta``. With z = w * x + b and
    s = gamma / sqrt(variance + eps) that is ``(s w) * x + (b - mean) s + beta``.

    Parameters
    ----------
    weight : output channels last: convolution (kh, kw, c_in, c_out), depthwise
        (kh, kw, c) or fully connected (in, out).
    bias : (c_out,), or None where the convolution has none.
    gamma, beta, mean, variance : (c_out,) each.
    eps : the constant that the network was trained with (it is not in its file).

    Returns (weight, bias) in the dtype of `weight`; computed in float64.

    Source: Ioffe and Szegedy (2015), section 3.1, at inference.
    """
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + eps)
    start = np.zeros_like(scale) if bias is None else bias.astype(np.float64)
    folded = (start - mean) * scale + beta
    return (weight * scale).astype(weight.dtype), folded.astype(weight.dtype)
