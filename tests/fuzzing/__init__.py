"""Damaged and hostile inputs for every reader and every command.

    mutations    what is done to bytes, texts and JSON, whatever they mean
    structures   what is done to arrays, .npy headers and zips
    limits       what a case may cost, and what counts as a good end of it
    containers   this project's own .npz files
    weights      weight files of others
    datasets     data sets, one file of each damaged
    pictures     image files
    texts        TOML, results files, tokenizers, vocabularies, the manifest, tables
    commands     the command line: options, paths, whole processes
    calls        how a call is run and judged
    worker       runs cases under their limits

To add a reader, write a `Target` into the TARGETS of the module where it belongs:

- ``make(rng, folder)`` writes a damaged input into an empty folder and returns what is
  given to ``read``. It begins with an input that is right, so that most of the reader
  is reached, and draws every choice from `rng`: (seed, number) gives the case again.
- ``read(argument)`` reads it, and uses what it got as the program would: what a reader
  lets through fails later. It returns anything, or raises InputError.

Then run ``python tests/fuzz.py --only NAME --count 2000``.
"""

import os
import sys
from pathlib import Path

# Before NumPy is loaded: a forked process must not count on a team of threads that only
# its parent has. (These are the names that OpenBLAS, OpenMP and MKL read.)
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "2")  # cores, on any machine
sys.path.append(str(Path(__file__).parents[1] / "convert"))  # for convert_cases
