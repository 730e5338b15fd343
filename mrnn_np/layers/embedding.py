"""The embedding layer: a table with one learned row for every word.

Knows: rows of a table. Does not know: which word a row belongs to.
"""

import numpy as np

from mrnn_np.kernels.scatter import scatter_add_rows

Cache = tuple[np.ndarray, np.ndarray]


def embedding_forward(
    tokens: np.ndarray, table: np.ndarray
) -> tuple[np.ndarray, Cache]:
    """Look up the row of every word: the product of a one-hot vector and the table.

        out_p = table[tokens_p]

    Parameters
    ----------
    tokens : (P,) integer, each in [0, V).
    table : (V, E) floating.

    Returns
    -------
    out : (P, E), and the cache for `embedding_backward`.

    Raises
    ------
    IndexError : a token that is not in the table (NumPy raises it here, so that the
        backward kernel, which checks nothing, never sees one).
    """
    return table.take(tokens, axis=0), (tokens, table)


def embedding_backward(
    dout: np.ndarray, cache: Cache, dtable: np.ndarray | None = None
) -> np.ndarray:
    """Return the gradient of the table: the rows of equal words add up.

        dtable_v = sum over the p with tokens_p = v of dout_p

    Parameters
    ----------
    dout : (P, E).
    dtable : (V, E) to write the gradient to, a new array when None.

    Returns
    -------
    dtable : (V, E), zero for the words that do not occur.

    Raises
    ------
    ValueError : `dtable` has another shape than the table (the kernel checks nothing).
    """
    tokens, table = cache
    if dtable is None:
        dtable = np.empty_like(table)
    elif dtable.shape != table.shape:
        raise ValueError(f"dtable is {dtable.shape}, the table {table.shape}")
    dtable[...] = 0
    scatter_add_rows(dtable, tokens, dout)
    return dtable
