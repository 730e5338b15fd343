"""Every function compiled by Numba, grouped by what calls what, and some plain twins.

Each kernel has a plain twin (same arguments, a few lines of NumPy or a loop) that says
what it computes; a test holds them equal. Kernels know arrays and nothing else.
`cache=True` keeps the machine code on disk (cache.py), but does not see edits in
another file: kernels that call each other stay together, and a kernel takes nothing
from a module of this project (a test reads them all).

The same bits, just compiled or from the disk: a function that the compiler may reorder
or contract (`fastmath` with "reassoc", "contract" ...) and that another kernel calls is
declared with `forceinline=True`, and so is every function between the two. Numba
compiles such a function on its own and puts a copy into each kernel that calls it,
where it is optimised once more and may add in another order. Both bear one name, and a
process uses the one that was there first: its own where it was just compiled, else that
of the kernel that was loaded first. A function that is inlined has no name to confuse.
Without such flags all copies compute the same, for then the source says what is rounded
when. A test runs all kernels in new processes, and looks for such copies in the code.

The kernels of convolutional networks are apart, in mrnn_np/cnn/fast: they are too long
for one file, and kept as a whole.
"""

from mrnn_np.kernels.cache import use_cache

use_cache()
