"""The multimodal layer: where word, history and image meet.

Knows: the sum of three projections. Does not know: where the three come from.
"""

import numpy as np

from mrnn_np.kernels.scatter import scatter_add_rows
from mrnn_np.layers.stanh import stanh_backward, stanh_forward

Cache = tuple


def multimodal_forward(
    w: np.ndarray,
    r: np.ndarray,
    image: np.ndarray,
    sentence: np.ndarray,
    Vw: np.ndarray,
    Vr: np.ndarray,
    Vi: np.ndarray,
    b: np.ndarray,
) -> tuple[np.ndarray, Cache]:
    """Add word, recurrent state and image in one space, and squash.

        m_p = g(w_p Vw + r_p Vr + I Vi + b),   I the image of p's sentence
                                               (m-RNN paper, equation 3)

    The image is projected once a sentence, not once a token: N rows, not P.

    Parameters
    ----------
    w : (P, R), second embedding; r : (P, R), recurrent state.
    image : (N, D), one CNN feature a sentence.
    sentence : (P,) integer in [0, N), the sentence of each token.
    Vw, Vr : (R, M); Vi : (D, M); b : (M,).

    Returns
    -------
    m : (P, M), and the cache.
    """
    z = w @ Vw
    z += r @ Vr
    z += (image @ Vi + b)[sentence]  # (N, M) -> (P, M)
    m, cache_g = stanh_forward(z)
    return m, (w, r, image, sentence, Vw, Vr, Vi, cache_g)


def multimodal_backward(
    dm: np.ndarray, cache: Cache, dVi: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Return the gradients by everything but `sentence`.

        dz = dm g'(z)
        dw = dz Vw^T     dVw = w^T dz       dr = dz Vr^T     dVr = r^T dz
        dz_n = sum of dz over the tokens of sentence n
        dI = dz_n Vi^T   dVi = I^T dz_n     db = sum dz

    Parameters
    ----------
    dm : (P, M).
    dVi : (D, M) to write that gradient to, a new array when None.

    Returns
    -------
    dw (P, R), dr (P, R), dimage (N, D), dVw (R, M), dVr (R, M), dVi (D, M), db (M,).
    """
    w, r, image, sentence, Vw, Vr, Vi, cache_g = cache
    dz = stanh_backward(dm, cache_g)
    per_sentence = np.zeros((len(image), dz.shape[1]), dz.dtype)  # (N, M)
    scatter_add_rows(per_sentence, sentence, dz)
    return (
        dz @ Vw.T,
        dz @ Vr.T,
        per_sentence @ Vi.T,
        w.T @ dz,
        r.T @ dz,
        np.matmul(image.T, per_sentence, out=dVi),
        per_sentence.sum(axis=0),
    )
