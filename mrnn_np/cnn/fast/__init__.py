"""What makes the convolution engine fast, behind one door: `FastEngine`.

Nobody outside this folder imports anything else of it, and `mrnn_np.cnn.network` is the
only place that imports it. `CNN(..., engine="plain")` does without: then graph.py calls
operations.py, layer after layer, in NumPy. Both are tested to agree.

    layers, wanted outputs          graph.plan: dead layers go, ReLUs are fused
            |
        compiler.py                 which instruction, how many work items
        /        \\
    memory.py   filters.py          where maps lie (liveness)   filters in panels
        \\        /
       program.py                   the table; one compiled call a thread
            |
       sharing.py                   threads claim work items by atomic counters
            |
    bands.py   winograd_blocks.py   rearrange.py        one work item each
            \\         |              /
          register_blocks.py        sums that stay in registers
            winograd.py             the transforms of one tile
                  |
            registers.py            vectors, written as LLVM instructions

Why each part earned its place, measured on two AVX-512 cores:

- *One call a network* (program.py, sharing.py). A layer of EfficientNet-Lite0 takes 0.1
  ms, as much as Python needs to call a kernel and to wake a thread. Threads run through
  the whole table and meet at counters, in less than a microsecond.
- *Register blocks* (register_blocks.py). A block of 8 pixels by 3 vectors of output
  channels keeps its sums in registers from the first product to the last: 97 to 115
  GFLOP/s of one core, bias and ReLU6 included, where BLAS and a pass for these reach 61
  to 104. Numba's compiler does not do it from a loop, hence the instructions.
- *Bands* (bands.py). A band is some lines of a map, as many as stay in the cache. With
  its border of zeros it is copied into the thread's scratch, so no map is ever padded.
  1x1 filters before a depthwise layer are computed into the band, and the widest maps
  of a network never exist as a whole.
- *Winograd* (winograd.py, winograd_blocks.py). A quarter of the multiplications of 3x3
  filters; VGG-16 takes 68 ms in place of 119.
- *Liveness* (memory.py). All maps lie in one array; a map's memory is given to others
  after its last reader. A deep network needs the memory of its two or three largest
  neighbours. Parts of a concatenation are computed where they belong.
- *Panels* (filters.py). Filters lie in the order in which a register block reads them.

The words, each with one meaning:

    instruction   what a record of the table says: an operation and all its numbers
    work item     a part of an instruction that one thread computes
    block         the pixels, lines or tiles of a work item; of lines it is a band
    panel         one to three vectors of output channels; a group of them goes with a
                  block into one work item
    register block   8 pixels and a panel: what is computed at once
    tile          Winograd's 4 x 4 outputs, from 6 x 6 inputs
    vector        the numbers (LANES) of one register
    offset        where in memory something begins, counted in numbers; `pixel` is the
                  distance of two neighbours, a stride that of two lines or columns
    scratch       memory of one thread, behind the maps

All maps are (N, height, width, channels) float32, the channels rounded up to whole
vectors (not those of a picture, as a rule). `memory` and `weights` begin with zeros.
"""

from mrnn_np.cnn.fast.engine import FastEngine

__all__ = ["FastEngine"]
