"""The user's collection of converted networks, and the list that comes with it."""

import os
import shutil

import fake_index as fake
import numpy as np
import pytest

from mrnn_np.cli import main
from mrnn_np.convert import library, manifest, sources
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import load_arrays, save_arrays, weights_folder

WEIGHTS = fake.tiny_weights()


# --- converting a file ----------------------------------------------------------------


def test_convert_a_file_that_the_manifest_knows(home):
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, b""))
    file = home / "mine.npz"
    file.write_bytes(WEIGHTS)
    path = library.convert_file(file)
    assert path == library.converted_path("tiny")
    fake.check_converted(path)


def test_convert_a_file_that_it_does_not_know(home):
    other = {**fake.package(fake.WHEEL, b""), "sha256": "0" * 64}
    fake.write_manifest(home / "manifest", other)
    file = home / "mine.npz"
    file.write_bytes(WEIGHTS)
    path = library.convert_file(file, "alexnet")
    assert path.resolve() == home / "work" / "mine.npz"
    header, _ = load_arrays(path, "cnn")
    assert (header["name"], header["licence"]) == ("mine", "unknown")
    elsewhere = library.convert_file(file, out=home / "new folder" / "x.npz")
    np.testing.assert_array_equal(
        load_arrays(elsewhere, "cnn")[1]["conv1.bias"],
        load_arrays(path, "cnn")[1]["conv1.bias"],
    )
    with pytest.raises(InputError, match="converted already"):
        library.convert_file(path)
    os.chdir(home)
    with pytest.raises(InputError, match=r"would overwrite .*, which is read"):
        library.convert_file(file)
    assert file.read_bytes() == WEIGHTS


def test_the_list(index, home):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    (before,) = library.entries()
    assert before.path is None and before.megabytes == len(WEIGHTS) / 1e6
    path = library.get("tiny", say=lambda line: None)
    shutil.copy(path, path.with_name("own.npz"))
    path.with_name("broken.npz").write_text("no weights")
    save_arrays(path.with_name("features.npz"), "features", {}, {"x": np.zeros(2)})
    tiny, *others = library.entries()
    assert (tiny.name, tiny.path, tiny.licence) == ("tiny", path, "MIT")
    assert [(each.name, each.architecture, each.layers) for each in others] == [
        ("broken", "not readable", ""),
        ("features", "not readable", ""),
        ("own", "alexnet", "conv1 to conv1"),
    ]


def test_no_file_of_the_cache_breaks_the_list(index, home, capsys):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    folder = library.get("tiny", say=lambda line: None).parent
    arrays = {"conv1.weight": np.zeros(2), "conv1.bias": np.zeros(2)}
    fine = {"architecture": "alexnet", "licence": "MIT"}
    save_arrays(folder / "a.npz", "cnn", fine, arrays)
    save_arrays(folder / "b.npz", "cnn", {**fine, "architecture": ["x"]}, arrays)
    save_arrays(folder / "c.npz", "cnn", {**fine, "licence": {"a": 1}}, arrays)
    save_arrays(folder / "d.npz", "cnn", {"licence": "MIT"}, arrays)
    save_arrays(folder / "e.npz", "cnn", {"architecture": "alexnet"}, {})
    (folder / "f.npz").mkdir()
    (folder / "g.npz").symlink_to("gone.npz")
    np.savez(folder / "h.npz", x=np.zeros(3, "M8[s]"))
    _, *others = library.entries()
    assert [(each.name, each.architecture, each.layers) for each in others] == [
        ("a", "alexnet", "conv1 to conv1"),
        *((name, "not readable", "") for name in "bcd"),
        ("e", "alexnet", "none"),
        *((name, "not readable", "") for name in "fgh"),
    ]
    assert main(["weights", "list"]) == 0
    assert "not readable" in capsys.readouterr().out


# --- the real manifest ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("[]", "expected an object"),
        ("{", "not JSON"),
        ("{}", "has no 'networks'"),
        ('{"networks": {"a": 1}}', "a: expected an object"),
        ('{"networks": {"a": {"sources": []}}}', "a: no source"),
        ('{"networks": {"a": {"sources": [3]}}}', "a: source: expected an object"),
        ('{"networks": {"a": {"sources": [{"kind": "url"}]}}}', "missing"),
    ],
)
def test_a_manifest_that_is_none(home, content, part):
    (home / "manifest" / manifest.MANIFEST).write_text(content)
    with pytest.raises(InputError, match=part) as caught:
        manifest.load_manifest()
    assert str(home / "manifest" / manifest.MANIFEST) in str(caught.value)


def test_every_entry_of_the_manifest_can_be_used():
    from mrnn_np.cnn import PREPROCESSING
    from mrnn_np.convert.readers import READERS

    networks = manifest.load_manifest()
    assert {"efficientnet_lite0", "squeezenet1_1", "alexnet", "vgg16"} <= set(networks)
    for name, network in networks.items():
        assert (network.architecture, network.variant) in PREPROCESSING, name
        assert network.sources and network.licence and network.trained_on
        for source in network.sources:
            hashes = [source.sha256]
            assert os.path.splitext(source.file)[1] in READERS and source.bytes > 0
            if source.kind == "package":
                hashes.append(source.archive_sha256)
                assert source.archive_bytes > 0 and source.project and source.version
            else:
                assert source.kind == "url" and source.url.startswith("https://")
                # The published names have the first digits of the hash in them.
                assert f"-{source.sha256[:8]}." in source.file
                assert source.url.endswith(source.file)
            for digest in hashes:
                assert len(digest) == 64 and int(digest, 16)


def test_the_wheel_of_the_extra_is_read_in_place():
    network = manifest.find_network("efficientnet_lite0")
    path = sources.installed_file(network.sources[0])
    if path is None:
        pytest.skip("the extra `pretrained` is not installed")
    sources.check_hash(path, network.sources[0].sha256)


def test_there_are_1000_class_names():
    text = (weights_folder() / "imagenet_classes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    assert [row[0] for row in rows] == [str(i) for i in range(1000)]
    assert (rows[0][1], rows[657][1], rows[967][1]) == ("tench", "missile", "espresso")
    assert all(row[1].strip() for row in rows)
