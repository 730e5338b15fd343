"""Every function compiled by Numba, grouped by what calls what, and some plain twins.

Each kernel has a plain twin (same arguments, a few lines of NumPy or a loop) that says
what it computes; a test holds them equal. Kernels know arrays and nothing else.
`cache=True` keeps the machine code on disk (cache.py), but does not see edits in
another file: kernels that call each other stay together, and a kernel takes nothing
from a module of this project (a test reads them all).

The kernels of convolutional networks are the exception, because they are too long for
one file. Only `program.run_program` is kept, with the stamp of all sources. Read
convolution.py and pooling.py (what is computed, in NumPy: the twins of what bands.py,
winograd_steps.py and rearrange.py compute) first, then the table and the words at the
head of program.py, then tiles.py, bands.py and the rest.
"""

from mrnn_np.kernels.cache import use_cache

use_cache()
