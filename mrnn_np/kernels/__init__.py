"""Every function compiled by Numba, grouped by what calls what, and some plain twins.

Each kernel has a plain twin (same arguments, a few lines of NumPy or a loop) that says
what it computes; a test holds them equal. Kernels know arrays and nothing else.
`cache=True` keeps the machine code on disk (cache.py), but does not see edits in
another file: kernels that call each other stay together, and a kernel takes nothing
from a module of this project (a test reads them all).

The kernels of convolutional networks are apart, in mrnn_np/cnn/fast: they are too long
for one file, and kept as a whole.
"""

from mrnn_np.kernels.cache import use_cache

use_cache()
