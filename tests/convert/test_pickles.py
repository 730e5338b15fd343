"""The pickle machine: it must read what weights need and run nothing at all."""

import io
import pickle

import convert_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrnn_np.convert.pickles import Rebuilt, read_pickle
from mrnn_np.convert.readers import read_tensors
from mrnn_np.runtime.errors import InputError


def read(data, names=None, persistent=None):
    return read_pickle(io.BytesIO(data), names or {}, persistent)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple)
    | st.dictionaries(st.text() | st.integers(-(2**32), 2**32), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(value=plain, protocol=st.integers(3, 5))
def test_any_plain_value_as_pickle_itself_reads_it(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_as_pickle_itself_reads_them(protocol):
    value = {
        "numbers": [0, 1, -1, 255, 70000, 2**31, -(2**70), 1.5, True, False, None],
        "texts": ("", "abc", "für", "x" * 300),
        "nested": {1: {"a": []}, 2: ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4))},
    }
    value["again"] = value["texts"]  # the memo
    assert read(pickle.dumps(value, protocol)) == value


def test_it_stops_behind_the_pickle():
    stream = io.BytesIO(pickle.dumps(1, 2) + pickle.dumps("two", 2) + b"rest")
    assert [read_pickle(stream, {}), read_pickle(stream, {})] == [1, "two"]
    assert stream.read() == b"rest"


class Evil:
    """What an attacker writes: unpickling it would make a file."""

    def __init__(self, path):
        self.command = f"touch {path}"

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("ending", [".pth", ".ckpt", "zip"])
def test_a_command_is_refused_and_not_run(tmp_path, ending, protocol):
    proof = tmp_path / "executed"
    data = pickle.dumps({"w": Evil(proof)}, protocol)
    if ending == ".pth":
        data = cases.legacy_pth(data)
    path = tmp_path / f"evil{'.pth' if ending == 'zip' else ending}"
    path.write_bytes(cases.zip_pth(data) if ending == "zip" else data)
    with pytest.raises(InputError, match=r"(posix|os|nt)\.system") as caught:
        read_tensors(path)
    assert not proof.exists()
    assert "\n" not in str(caught.value)
    pickle.loads(pickle.dumps(Evil(proof)))  # and it would have worked
    assert proof.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins.eval", "builtins.getattr", "torch.load", "numpy.load", "os.path.x\x1b"],
)
def test_only_the_names_of_the_table(name):
    with pytest.raises(InputError, match="asks for the Python object") as caught:
        read(cases.program(cases.call(name, "1 + 1")), {"allowed.thing": dict})
    assert str(caught.value).isprintable()


def test_a_name_of_the_table_is_called():
    names = {"a.pair": lambda x, y: (y, x), "a.constant": "value"}
    assert read(cases.program(cases.call("a.pair", 1, 2)), names) == (2, 1)
    assert read(cases.program(cases.named("a.constant")), names) == "value"
    with pytest.raises(InputError, match="not a readable pickle"):
        read(cases.program(cases.call("a.constant")), names)


def test_a_state_is_given_only_to_what_wants_one():
    class Box(Rebuilt):
        def build(self, state):
            self.state = state

    class Closed(Rebuilt):
        pass

    names = {"a.Box": Box, "a.Closed": Closed}
    state = cases.literal({"x": 1}) + b"b"
    assert read(cases.program(cases.call("a.Box"), state), names).state == {"x": 1}
    with pytest.raises(InputError, match="sets the state of a Closed"):
        read(cases.program(cases.call("a.Closed"), state), names)
    with pytest.raises(InputError, match="not a readable pickle"):
        read(cases.program(cases.literal(3), state), names)


@pytest.mark.parametrize(
    "parts",
    [
        (b"",),  # nothing on the stack
        (b"K\x01K\x02",),  # two values left
        (b"t",),  # a tuple without a mark
        (b"\x87",),  # a tuple of three from nothing
        (b"e",), (b"u",), (b"a",), (b"s",), (b"R",), (b"b",), (b"q\x00",), (b"h\x05",),
        (b"\x93",), (b"K\x01K\x02R",), (b"]K\x01K\x02s",), (b"}K\x01K\x02a",),
        (b"}(K\x01u",),  # a key without a value
        (b"}]K\x01s",),  # a list as a key
        (b"K\x01Q",),  # a persistent id where nobody keeps any
        (b"(i__main__\nx\n",), (b"\x81",), (b"0",), (b"\x82\x01",),
    ],
)  # fmt: skip
def test_programs_that_make_no_sense(parts):
    with pytest.raises(InputError):
        read(cases.program(*parts))


@pytest.mark.parametrize(
    "parts",
    [
        (b"X\xff\xff\xff\x7fa",),  # a text longer than the file
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa",),  # bytes longer than memory
        # A list that holds itself 2 ** 200 times over, where a name should be: it must
        # never be printed.
        (b"]q\x00", b"](h\x00h\x00eq\x00" * 200, b"h\x00\x93"),
    ],
)
def test_programs_that_would_fill_the_memory(parts):
    with pytest.raises(InputError):
        read(cases.program(*parts))


def test_a_memo_index_of_four_thousand_million_costs_nothing():
    assert read(cases.program(b"K\x05r\xfe\xff\xff\xff")) == 5


@pytest.mark.parametrize(
    "length", [b"\x8e" + b"\xff" * 7 + b"\x7f", b"X\xff\xff\xff\x7f"]
)
def test_no_more_is_asked_of_a_file_than_it_has(length, tmp_path):
    class Watched(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size <= len(self.getbuffer())
            return super().read(size)

    with pytest.raises(InputError, match="not a readable pickle"):
        read_pickle(Watched(cases.program(length, b"a")), {})


def test_keys_that_all_have_one_hash():
    """Each would be compared with all before it."""
    keys = b"".join(cases.literal(n * (2**61 - 1)) + b"N" for n in range(1, 9))
    with pytest.raises(InputError, match="neither text nor a small number"):
        read(cases.program(b"}(", keys, b"u"))


@pytest.mark.parametrize(
    "again",
    [
        b"h\x00\x85R",  # given to a function
        b"h\x00Q",  # given as an id
        b"h\x00b",  # given as a state
    ],
)
def test_what_is_kept_is_paid_for_whenever_it_is_used(again):
    class Box(Rebuilt):
        def __init__(self, *_):
            pass

        def build(self, state):
            pass

    function = cases.named("a.Box") + b")R" if again.endswith(b"b") else b""
    if again.endswith(b"R"):
        function = cases.named("a.Box")
    kept = b"](" + b"N" * 100 + b"eq\x00"
    data = cases.program(b"](", kept, (function + again) * 50, b"e")

    def steps(most):
        return read_pickle(io.BytesIO(data), {"a.Box": Box}, len, most=most)

    assert len(steps(6000)) == 51
    with pytest.raises(InputError, match="more steps"):
        steps(5000)


def test_programs_without_end():
    deep = cases.program(b"]" * 100_000, b"a" * 99_999)  # a list in a list in a ...
    with pytest.raises(InputError, match=r"holds no tensors|deeper"):
        only_tensors(deep)
    with pytest.raises(InputError, match="more or deeper"):
        only_tensors(cases.program(b"}", b"K\x00}" * 50, b"s" * 50))
    with pytest.raises(InputError, match="more steps"):
        read_pickle(io.BytesIO(cases.program(b"]" * 1001)), {}, most=1000)


def only_tensors(data):
    from mrnn_np.convert.checks import flatten

    flatten(read(data), Rebuilt, lambda leaf: leaf)
