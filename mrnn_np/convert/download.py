"""Downloads: one address, streamed to a file, never longer than announced.

Knows: http, time limits, credentials in an address. Does not know: what is fetched,
nor whether it is right (the caller compares the hash).
"""

import base64
import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import progress

SECONDS_WITHOUT_A_BYTE = 30
BLOCK = 1 << 20


def split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Take ``user:password@`` out of an address and make a header of it.

    Company indexes are often configured so; urllib would take it for a host name,
    and an address that is shown must not have it.

    Raises
    ------
    InputError : not an address (it is not shown: its login could not be taken out).
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"not an address that can be read: {error}") from None
    if "@" not in parts.netloc:
        return url, {}
    user, _, host = parts.netloc.rpartition("@")
    token = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}


@contextlib.contextmanager
def open_url(url: str, headers: dict[str, str] | None = None) -> Iterator:
    """Open an address for reading; every failure becomes one clear line.

    Raises
    ------
    InputError : not http(s), no answer, refused, broken off.
    """
    shown, login = split_credentials(url)
    scheme = urlsplit(shown).scheme
    if scheme not in ("http", "https"):
        raise InputError(f"{shown}: not an http(s) address")
    request = urllib.request.Request(
        shown, headers={"User-Agent": "mrnn_np", **(headers or {})}
    )
    for key, value in login.items():  # never carried on to where a redirect leads
        request.add_unredirected_header(key, value)
    context = None
    if scheme == "https":
        # pip's own setting for networks with a certificate of their own.
        certificates = os.environ.get("PIP_CERT") or None
        try:
            context = ssl.create_default_context(cafile=certificates)
        except OSError as error:
            raise InputError(
                f"the certificates in {certificates} (environment variable PIP_CERT) "
                f"cannot be read: {error}"
            ) from error
    try:
        with urllib.request.urlopen(
            request, timeout=SECONDS_WITHOUT_A_BYTE, context=context
        ) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{shown}: HTTP status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise InputError(f"{shown}: {reason}") from error


def download(url: str, path: Path, size: int, label: str) -> None:
    """Stream an address to a file of exactly `size` bytes, with progress.

    Raises
    ------
    InputError : the download fails or has another length, or the disk is full.
    """
    received = 0
    try:
        stream = open(path, "wb", buffering=0)
    except OSError as error:
        raise cannot_write(path, error) from error
    with stream, open_url(url) as answer:
        blocks = iter(lambda: answer.read(BLOCK), b"")
        for block in progress(blocks, -(-size // BLOCK), label, "MB"):
            received += len(block)
            if received > size:
                break
            try:
                stream.write(block)
            except OSError as error:  # a full disk is not a failing network
                raise cannot_write(path, error) from error
    if received != size:
        more = "more than " if received > size else ""
        raise InputError(f"{label}: {more}{received} bytes came, expected {size}")


def cannot_write(path: Path, error: OSError) -> InputError:
    """Make the error of a disk that is full or may not be written to."""
    return InputError(f"{path.parent}: cannot be written: {error.strerror or error}")
