"""Solution of exercise 03b.

Check: python tutorials/solutions/03b_find_the_bug.py
"""

import sys
from pathlib import Path

import numpy as np

from mrnn_np.layers import stanh_backward

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))
import checks


def multimodal_backward(dm, cache):
    """Return dw, dr, dimage, dVw, dVr, dVi, db, each like what it is the gradient of.

    dm : (P, M). The cache is what `multimodal_forward` of the library returns.
    """
    w, r, image, sentence, Vw, Vr, Vi, cache_g = cache
    dz = stanh_backward(dm, cache_g)
    # The image of a sentence is used by all its tokens: its gradient is their sum.
    per_sentence = np.zeros((len(image), dz.shape[1]))  # (N, M)
    # `per_sentence[sentence] += dz` adds only the last of several equal indices.
    np.add.at(per_sentence, sentence, dz)
    return (
        dz @ Vw.T,
        dz @ Vr.T,
        per_sentence @ Vi.T,
        w.T @ dz,
        r.T @ dz,
        image.T @ per_sentence,
        per_sentence.sum(axis=0),
    )


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_multimodal_backward, multimodal_backward))
