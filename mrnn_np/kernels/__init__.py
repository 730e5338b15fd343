"""Every function compiled by Numba, grouped by what calls what.

Each kernel has a plain twin (same arguments, a few lines of NumPy or a loop) that says
what it computes; a test holds them equal. Kernels know arrays and nothing else.
`cache=True` keeps the machine code on disk (cache.py), but does not see edits in
another file: kernels that call each other stay together, and a kernel takes nothing
from a module of this project (a test reads them all).

The kernels of convolutional networks are the exception, because they are too long for
one file. Only `program.run_program` is kept, with the stamp of all sources. Read
convolution.py and pooling.py (what is computed, in NumPy) first, then registers.py,
tiles.py, bands.py, winograd.py and winograd_steps.py, rearrange.py, and program.py.
"""

from mrnn_np.kernels.cache import use_cache

use_cache()
