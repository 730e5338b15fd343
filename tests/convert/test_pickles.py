"""The pickle reader: what it reads equals pickle's own, what it refuses never runs."""

import io
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.convert.pickles import read_pickle
from mrnn_np.errors import InputError

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(-(2**70), 2**70), inner)
    ),
    max_leaves=20,
)


@given(value=plain, protocol=st.integers(3, 5))
def test_plain_data_reads_as_pickle_reads_it(value, protocol):
    data = pickle.dumps(value, protocol)
    assert read_pickle(io.BytesIO(data), {}) == value


def test_a_value_that_stands_twice_stays_one_object():
    shared = [1, 2]
    data = pickle.dumps({"a": shared, "b": shared}, 2)
    found = read_pickle(io.BytesIO(data), {})
    assert found["a"] is found["b"]


def test_the_stream_stops_behind_the_pickle():
    stream = io.BytesIO(pickle.dumps(7, 2) + pickle.dumps("next", 2) + b"rest")
    assert read_pickle(stream, {}) == 7
    assert read_pickle(stream, {}) == "next"
    assert stream.read() == b"rest"


class Evil:
    """Would make a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_call_is_refused_by_name_and_not_made(tmp_path, protocol):
    path = str(tmp_path / "made")
    data = pickle.dumps({"weights": Evil(path)}, protocol)
    with pytest.raises(InputError, match=rf"{os.mkdir.__module__}\.mkdir.*refused"):
        read_pickle(io.BytesIO(data), {})
    assert not os.path.exists(path)
    pickle.loads(data)  # the proof that the file would have worked on others
    assert os.path.exists(path)


def test_only_the_table_is_ever_called():
    def double(x):
        return 2 * x

    class Doubled:
        def __reduce__(self):
            return ord, ("A",)  # named builtins.ord in the file

    data = pickle.dumps(Doubled(), 3)
    assert read_pickle(io.BytesIO(data), {"builtins.ord": lambda c: c * 3}) == "AAA"


BAD = {
    "nothing": b"",
    "no stop": b"\x80\x02K\x01",
    "stack runs empty": b"\x80\x02\x85.",
    "no mark": b"\x80\x02K\x01K\x02t.",
    "memo that was never filled": b"\x80\x02h\x07.",
    "two values left": b"\x80\x02K\x01K\x02.",
    "call of a text": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "call of a builtin through attributes": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "name that is a list": b"\x80\x04]]\x93.",
    "state set on a list": b"\x80\x02]}b.",
    "keys that are tuples": b"\x80\x02})K\x01s.",
    "items set on a list": b"\x80\x02](K\x01K\x02u.",
    "an odd number of items": b"\x80\x02}(K\x01u.",
    "text longer than the file": b"\x80\x02X\xff\xff\xff\x7fa.",
    "bytes longer than memory": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa.",
    "an extension": b"\x80\x02\x82\x01.",
    "an object without a call": b"\x80\x02(cos\nsystem\no.",
    "persistent id where none is known": b"\x80\x02K\x01Q.",
    "protocol 0 instance": b"(ios\nsystem\n.",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_programs_are_input_errors(data):
    with pytest.raises(InputError):
        read_pickle(io.BytesIO(data), {})


def test_a_memo_index_of_four_thousand_million_costs_nothing():
    data = b"\x80\x02K\x05r\xfe\xff\xff\xff."  # makes C's unpickler ask for 32 GB
    assert read_pickle(io.BytesIO(data), {}) == 5


def test_deep_nesting_is_read_without_recursion():
    data = b"\x80\x02" + b")" + b"\x85" * 100_000 + b"."
    value, depth = read_pickle(io.BytesIO(data), {}), 0
    while value:
        (value,), depth = value, depth + 1
    assert depth == 100_000
