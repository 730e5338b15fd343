"""Model files: what is saved comes back, and bad files are refused in one line."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MRNN, MRNNConfig, load_model
from mrnn_np.runtime import storage


def make_model() -> MRNN:
    vocabulary = Vocabulary([*SPECIALS, "a", "dog", "狗"], [0, 0, 9, 2, 5, 3, 2])
    config = MRNNConfig(
        image_size=6, embedding_size=3, recurrent_size=4, multimodal_size=5
    )
    extractor = {"name": "some_cnn", "sha256": "12", "preprocessing": {"size": 224}}
    model = MRNN(config, vocabulary, np.random.default_rng(3), extractor=extractor)
    model.set_feature_statistics(np.random.default_rng(4).normal(2, 3, (20, 6)))
    return model


@pytest.mark.parametrize("half", [False, True])
def test_a_model_comes_back_as_it_was(tmp_path, half):
    model = make_model()
    model.save(tmp_path / "m.npz", half=half)
    back = load_model(tmp_path / "m.npz")
    assert back.config == model.config
    assert back.vocabulary == model.vocabulary
    assert back.extractor == model.extractor
    assert back.tokenizer == model.tokenizer
    features = np.random.default_rng(5).normal(2, 3, (4, 6)).astype(np.float32)
    tolerance = 2e-3 if half else 0
    for name, value in model.params.items():
        assert back.params[name].dtype == np.float32
        np.testing.assert_allclose(
            back.params[name], value, rtol=tolerance, atol=tolerance
        )
    np.testing.assert_array_equal(
        back.standardise(features), model.standardise(features)
    )


def test_a_released_file_is_half_the_size(tmp_path):
    vocabulary = Vocabulary([*SPECIALS, *(f"w{i}" for i in range(500))], [1] * 504)
    model = MRNN(MRNNConfig(image_size=32), vocabulary)
    model.save(tmp_path / "full.npz")
    model.save(tmp_path / "half.npz", half=True)
    full, half = ((tmp_path / f"{n}.npz").stat().st_size for n in ("full", "half"))
    assert half < 0.55 * full


def test_saving_is_reproducible(tmp_path):
    hashes = []
    for name in ("a.npz", "b.npz"):
        make_model().save(tmp_path / name)
        header, _ = storage.load_arrays(tmp_path / name, "checkpoint")
        hashes.append(header["content_sha256"])
    assert hashes[0] == hashes[1]


def test_parameters_too_large_for_float16_are_refused(tmp_path):
    model = make_model()
    model.params["Wo"][0, 0] = 1e6
    with pytest.raises(InputError, match="Wo does not fit into float16"):
        model.save(tmp_path / "m.npz", half=True)
    assert not list(tmp_path.iterdir())


def rewrite(path, change) -> None:
    """Write the file anew with a changed header and a hash that fits."""
    header, arrays = storage.load_arrays(path, "checkpoint")
    change(header, arrays)
    header.pop("content_sha256")
    header["content_sha256"] = storage.content_hash(header, arrays)
    text = json.dumps(header, ensure_ascii=False).encode()
    with open(path, "wb") as stream:
        np.savez(stream, **{storage.HEADER: np.frombuffer(text, np.uint8)}, **arrays)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda h, a: h.update(version=2), "install a newer mrnn_np"),
        (lambda h, a: h.update(kind="features"), "holds 'features'"),
        (lambda h, a: h.update(model="transformer"), "'transformer' is not one of"),
        (lambda h, a: h["config"].update(heads=8), "config not understood"),
        (lambda h, a: a.pop("params/U"), "has no array 'params/U'"),
        (lambda h, a: a.update({"params/U": np.zeros((2, 2))}), r"of shape \(2, 2\)"),
        (lambda h, a: a.pop("feature_mean"), "feature_mean"),
        (lambda h, a: a.update(feature_scale=np.zeros(3)), "feature_scale"),
        (lambda h, a: h.pop("vocabulary"), "vocabulary"),
        (lambda h, a: h["vocabulary"].pop("words"), "words"),
        (lambda h, a: h.update(tokenizer="klingon"), "klingon"),
        (lambda h, a: a["params/U"].fill(np.nan), "U holds NaN"),
        (lambda h, a: a.update(feature_scale=np.zeros(6)), "not above 0"),
        (lambda h, a: a.update(feature_scale=np.full(6, 1e-300)), "not above 0"),
        (lambda h, a: a.update(feature_scale=-np.ones(6)), "not above 0"),
        (lambda h, a: a.update(feature_mean=np.full(6, 1e300)), "mean holds NaN or"),
        (lambda h, a: a.update({"params/br": np.full(4, 1e300)}), "br holds NaN or"),
        (lambda h, a: a.update({"params/br": np.array(list("abcd"))}), "<U1, expected"),
        (lambda h, a: a.update({"params/br": np.arange(4)}), "int64, expected floats"),
        (lambda h, a: h.update(model=["mrnn"]), "model: expected a text, got a list"),
        (lambda h, a: h.update(tokenizer=7), "tokenizer: expected a text"),
        (lambda h, a: h.update(config=[]), "config: expected an object"),
        (
            lambda h, a: h["config"].update(image_size=10**9),
            r"expected \(1000000000,\)",
        ),
        (lambda h, a: h["config"].update(image_size=2**40), "feature_mean is of shape"),
        (lambda h, a: h["config"].update(image_size=2**70), "image_size must"),
        (lambda h, a: h["config"].update(recurrent_size=2**40), "params/.* of shape"),
        (lambda h, a: h["config"].update(recurrent_size=True), "recurrent_size must"),
        (lambda h, a: h["config"].update(recurrent_scale="x"), "recurrent_scale must"),
        (
            lambda h, a: h["vocabulary"].update(words=[1, 2]),
            "something that is no word",
        ),
        (lambda h, a: h["vocabulary"].update(counts=["1"] * 7), "no integer"),
        (lambda h, a: h["vocabulary"].update(counts=[1e400] * 7), "no integer"),
        (lambda h, a: h["vocabulary"].update(counts=[2**64] * 7), "list of integers"),
        (lambda h, a: h["vocabulary"].update(counts=3), "counts: expected a list"),
        (lambda h, a: h["vocabulary"].update(counts=[[1]] * 7), "no integer"),
        (lambda h, a: h.update(extractor=3), "extractor: expected an object"),
        (lambda h, a: h.update(extractor=["cnn"]), "extractor: expected an object"),
        (lambda h, a: h["extractor"].pop("name"), "extractor: has no 'name'"),
        (lambda h, a: h["extractor"].update(name="n" * 300), "a name of 300"),
        (lambda h, a: h["extractor"].update(sha256=None), "sha256: expected a text"),
        (lambda h, a: h["extractor"].update(preprocessing="x"), "expected an object"),
        (lambda h, a: h["extractor"].update(parts={"a": "b"}), "has no 'a'"),
        (lambda h, a: h["extractor"].update(parts=["a"]), "parts: expected an object"),
        (lambda h, a: h.update(training=5), "training: expected an object"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, change, part):
    path = tmp_path / "m.npz"
    make_model().save(path)
    rewrite(path, change)
    with pytest.raises(InputError, match=part) as caught:
        load_model(path)
    assert "\n" not in str(caught.value) and "m.npz" in str(caught.value)


@pytest.mark.parametrize("size", [10**9, 2**40])
def test_a_header_alone_takes_no_memory(tmp_path, size):
    path = tmp_path / "m.npz"
    make_model().save(path)
    rewrite(path, lambda header, arrays: header["config"].update(image_size=size))
    tracemalloc.start()
    with pytest.raises(InputError, match="feature_mean is of shape"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(tmp_path, share):
    path = tmp_path / "m.npz"
    make_model().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"m\.npz: not a readable"):
        load_model(path)


def test_an_altered_file_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    make_model().save(path)
    content = bytearray(path.read_bytes())
    for position in range(200, len(content), 997):
        altered = content.copy()
        altered[position] ^= 4
        path.write_bytes(altered)
        try:
            back = load_model(path)
        except InputError:
            continue
        # Only bytes that mean nothing (a time stamp) may pass unseen.
        assert back.vocabulary == make_model().vocabulary


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_model(tmp_path / "missing.npz")
    np.savez(tmp_path / "plain.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="not one of mrnn_np"):
        load_model(tmp_path / "plain.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="not a readable"):
        load_model(tmp_path / "text.npz")
    with zipfile.ZipFile(tmp_path / "objects.npz", "w") as archive:
        archive.writestr("header.json.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O'")
    with pytest.raises(InputError, match="an array header of 118 bytes in 24"):
        load_model(tmp_path / "objects.npz")


def test_a_full_disk_costs_nothing_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    make_model().save(path)
    before = path.read_bytes()

    def no_space(stream, array, **options):
        stream.write(b"x" * 100)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", no_space)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        make_model().save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        make_model().save(tmp_path / "file" / "m.npz")
