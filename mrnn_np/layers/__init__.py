"""The layers of the captioner: one file a layer, forward and backward side by side.

Every layer is a pair of pure functions:

    x_forward(inputs..., parameters...) -> (out, cache)
    x_backward(dout, cache)             -> gradients, in the order of the arguments

The cache is a tuple of what the backward pass needs. There is no hidden state, nothing
is drawn at random unless a Generator is passed in, and float64 works as float32 does
(gradient checks use it). Rows are tokens: P rows for a packed batch.

What runs through time, the recurrent layers, are cells (mrnn_np/cells).

Where an array is large, the caller may say which memory to write it to (`z`, `dW`,
`dVi`, `dtable`; layers/buffers.py says why). Without, a layer makes a new one.
"""

from mrnn_np.layers.affine import affine_backward, affine_forward
from mrnn_np.layers.buffers import Buffers
from mrnn_np.layers.dropout import dropout_backward, dropout_forward
from mrnn_np.layers.embedding import embedding_backward, embedding_forward
from mrnn_np.layers.hinge import (
    hinge_backward,
    hinge_distance_to_kink,
    hinge_forward,
)
from mrnn_np.layers.l2 import l2_backward, l2_forward
from mrnn_np.layers.multimodal import multimodal_backward, multimodal_forward
from mrnn_np.layers.normalise import normalise_backward, normalise_forward
from mrnn_np.layers.output import output_backward, output_forward
from mrnn_np.layers.relu import relu_backward, relu_forward
from mrnn_np.layers.softmax import (
    log_softmax,
    softmax_loss_backward,
    softmax_loss_forward,
)
from mrnn_np.layers.stanh import stanh_backward, stanh_forward

__all__ = [
    "Buffers",
    "affine_backward",
    "affine_forward",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "hinge_backward",
    "hinge_distance_to_kink",
    "hinge_forward",
    "l2_backward",
    "l2_forward",
    "log_softmax",
    "multimodal_backward",
    "multimodal_forward",
    "normalise_backward",
    "normalise_forward",
    "output_backward",
    "output_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss_backward",
    "softmax_loss_forward",
    "stanh_backward",
    "stanh_forward",
]
