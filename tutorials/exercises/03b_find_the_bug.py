"""Exercise 03b: find the bug and mend it.

The multimodal layer adds word, state and image, and squashes the sum:

    m_p = g(w_p Vw + r_p Vr + I_n Vi + b),    n = sentence[p]

with P words and N images; all words of a sentence have the same image. The backward
pass below runs, and its shapes are right. The check tells which gradients are wrong and
which are right. One line is to be changed.

Check: python tutorials/exercises/check.py 03b
Expect: errors below 1e-8.
"""

import numpy as np

from mrnn_np.layers import stanh_backward


def multimodal_backward(dm, cache):
    """Return dw, dr, dimage, dVw, dVr, dVi, db, each like what it is the gradient of.

    dm : (P, M). The cache is what `multimodal_forward` of the library returns. All
    arrays but `sentence` are float64, and all stay as they are.
    """
    w, r, image, sentence, Vw, Vr, Vi, cache_g = cache
    dz = stanh_backward(dm, cache_g)
    # The image of a sentence is used by all its words: its gradient is their sum.
    per_sentence = np.zeros((len(image), dz.shape[1]))  # (N, M)
    per_sentence[sentence] += dz
    return (
        dz @ Vw.T,
        dz @ Vr.T,
        per_sentence @ Vi.T,
        w.T @ dz,
        r.T @ dz,
        image.T @ per_sentence,
        per_sentence.sum(axis=0),
    )
