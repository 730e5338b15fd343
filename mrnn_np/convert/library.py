"""The user's collection of converted networks: get one, convert a file, list them.

Knows: where converted files lie and what their headers say. Does not know: formats,
layouts or the network; it calls who does.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mrnn_np.convert.manifest import find_network, load_manifest, recognise
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import check_places
from mrnn_np.runtime.progress import say as say_on_stderr
from mrnn_np.runtime.storage import (
    cache_folder,
    file_sha256,
    load_arrays,
    npz_output,
    save_arrays,
)
from mrnn_np.runtime.untrusted import take


def converted_path(name: str) -> Path:
    """Return where the converted weights of a network lie or will lie."""
    return cache_folder() / "cnn" / f"{name}.npz"


def get(
    name: str, say: Callable[[str], None] = say_on_stderr, verify: bool = False
) -> Path:
    """Return the converted weights of a network, fetched and converted when missing.

    Parameters
    ----------
    name : of the manifest, or of a file in the cache folder's ``cnn/``.
    say : gets one line before something slow starts.
    verify : read a file that is there already; fetch it anew if it is damaged.

    Returns ``cache_folder() / "cnn" / f"{name}.npz"``, a container of kind "cnn".

    Raises
    ------
    InputError : unknown name, no source works, or the folder cannot be written.
    """
    path = converted_path(name)
    if Path(name).name == name and path.is_file():
        try:
            if verify:
                load_arrays(path, "cnn")
            return path
        except InputError as error:
            say(f"fetching {name} again: {error}")
    network = find_network(name)
    check_places(npz_output(path, f"the network {name}", "cnn"))
    from mrnn_np.convert.sources import fetch  # loads ssl and http: only for this

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent)
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot be written: {error.strerror or error}"
        ) from error
    with folder as temporary:
        file, _ = fetch(network, Path(temporary), say)
        convert_file(file, network.architecture, path)
    say(f"{name}: converted to {path}")
    return path


def convert_file(
    path: str | Path, architecture: str | None = None, out: str | Path | None = None
) -> Path:
    """Convert a weight file of a known network and return the new file's path.

    Parameters
    ----------
    path : .pth, .h5, .ckpt, .safetensors or .npz.
    architecture : which network it is; told from the tensors when None.
    out : the new file. When None: a file that the manifest knows by its hash goes to
        the cache folder under its name there, another one to the current folder.

    Raises
    ------
    InputError : not readable, of no known network; or `out` cannot be written, would
        replace something else than converted weights, or does not end in .npz (which
        is how `load_cnn` tells a file from a name).
    """
    from mrnn_np.cnn.preprocessing import PREPROCESSING
    from mrnn_np.convert.mapping import apply_layout, detect_layout
    from mrnn_np.convert.readers import read_tensors

    path = Path(path)
    if out is not None and Path(out).suffix != ".npz":
        raise InputError(f"{out}: the new file's name must end in .npz")
    check_places(npz_output(out, "-o", "cnn"), inputs=[path])
    tensors = read_tensors(path)
    if "header.json" in tensors:
        raise InputError(f"{path}: is converted already: give it to --cnn as it is")
    try:
        layout = detect_layout(architecture, tensors)
        arrays = apply_layout(layout, tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error

    sha256 = file_sha256(path)
    known = recognise(sha256)
    if known is not None:
        network, source = known
        name, licence, origin = network.name, network.licence, source.where()
    else:
        name, licence, origin = path.stem, "unknown", "a file given by the user"
    if out is None:
        out = converted_path(name) if known else Path(f"{name}.npz")
        check_places(npz_output(out, "the new file", "cnn"), inputs=[path])
    out = Path(out)
    header = {
        "name": name,
        "architecture": layout.architecture,
        "variant": layout.variant,
        "preprocessing": PREPROCESSING[layout.architecture, layout.variant].to_dict(),
        "licence": licence,
        "source": {"from": origin, "file": path.name, "sha256": sha256},
    }
    save_arrays(out, "cnn", header, arrays)
    return out


@dataclass(frozen=True)
class Entry:
    """One line of the list; `path` is None where the weights are not here yet."""

    name: str
    architecture: str
    layers: str
    licence: str
    megabytes: float
    path: Path | None


def entries() -> list[Entry]:
    """List the networks of the manifest, then those only the cache folder has.

    `megabytes` is what would be downloaded, or the size of the file that is here.
    """
    rows, networks = [], load_manifest()
    for name, network in networks.items():
        path = converted_path(name)
        here = path.is_file()
        size = path.stat().st_size if here else network.sources[0].download_bytes
        rows.append(
            Entry(
                name,
                network.architecture,
                network.layers,
                network.licence,
                size / 1e6,
                path if here else None,
            )
        )
    for path in sorted(converted_path("x").parent.glob("*.npz")):
        if path.stem not in networks:
            rows.append(_own_entry(path))
    return rows


def _own_entry(path: Path) -> Entry:
    """Describe a file that the user put into the cache folder, whatever it is."""
    size = 0.0
    try:
        size = path.stat().st_size / 1e6
        header, arrays = load_arrays(path, "cnn", verify=False, mapped=True)
        architecture = take(header, "architecture", str, path)
        licence = take(header, "licence", str, path) if "licence" in header else ""
    except (InputError, OSError):
        return Entry(path.stem, "not readable", "", "", size, path)
    names = [key.removesuffix(".bias") for key in arrays if key.endswith(".bias")]
    layers = f"{names[0]} to {names[-1]}" if names else "none"
    return Entry(path.stem, architecture, layers, licence, size, path)
