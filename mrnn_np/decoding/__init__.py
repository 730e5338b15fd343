"""From a model that rates the next word to whole sentences.

Works on anything with `start(features)`, `step(tokens, state)` and `best_next(tokens,
state, k)`, where the state is a dict of arrays with one row a sentence. Knows nothing
of layers or images.
"""

from mrnn_np.decoding.beam import beam_search
from mrnn_np.decoding.caption import LONGEST, Caption
from mrnn_np.decoding.greedy import greedy_search, sample

__all__ = ["LONGEST", "Caption", "beam_search", "greedy_search", "sample"]
