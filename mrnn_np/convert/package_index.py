"""Where a Python package index keeps one archive.

The index is the one that pip uses on this machine, whichever that is. Only the page
of one project is read (PEP 691 JSON, or the older PEP 503 HTML); nothing is installed
and no code of a package ever runs: an sdist's setup.py could do anything.

Knows: pip's settings and the two forms of a project's page. Does not know: archives.
"""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

from mrnn_np.convert.download import open_url, split_credentials
from mrnn_np.runtime.errors import InputError

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
LONGEST_PAGE = 20 << 20  # bytes


def index_url() -> str:
    """Return the base address of the package index that pip uses.

    In this order: the environment variable PIP_INDEX_URL, pip's configuration, the
    default that pip has built in (printed in its help).

    Raises
    ------
    InputError : pip is not installed and the variable is not set.
    """
    chosen = os.environ.get("PIP_INDEX_URL") or _pip(
        "config", "get", "global.index-url"
    )
    if not chosen:
        usage = re.search(
            r"--index-url <url>.*?\(default\s+(\S+?)\)",
            _pip("download", "--help"),
            re.DOTALL,
        )
        chosen = usage[1] if usage else ""
    if not chosen:
        raise InputError(
            "the package index is not known (pip is not installed here?): set the "
            "environment variable PIP_INDEX_URL to its address"
        )
    return chosen.rstrip("/")


def _pip(*arguments: str) -> str:
    """Run pip and return what it prints; "" when it fails."""
    wide = {**os.environ, "COLUMNS": "2000"}  # help must not wrap an address
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        capture_output=True,
        text=True,
        env=wide,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def archive_url(project: str, archive: str) -> str:
    """Return the address of one archive of a project.

    Raises
    ------
    InputError : no index, no answer, no such project, no such archive.
    """
    page_url = f"{index_url()}/{re.sub(r'[-_.]+', '-', project).lower()}/"
    with open_url(page_url, {"Accept": ACCEPT}) as answer:
        text = answer.read(LONGEST_PAGE).decode("utf-8", "replace")
        is_json = "json" in answer.headers.get("Content-Type", "")
        redirected = answer.url != split_credentials(page_url)[0]
        base = answer.url if redirected else page_url
    address = (_from_json if is_json else _from_html)(text).get(archive)
    if address is None:
        raise InputError(f"the package index has no {archive}")
    # Addresses may be relative to the page, and HTML appends "#sha256=...".
    return urldefrag(urljoin(base, address)).url


def _from_json(text: str) -> dict[str, str]:
    """Return file name -> address of a PEP 691 page."""
    try:
        return {entry["filename"]: entry["url"] for entry in json.loads(text)["files"]}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(
            f"the package index's answer is not readable: {error}"
        ) from None


def _from_html(text: str) -> dict[str, str]:
    """Return file name -> address of a PEP 503 page: one link a file."""
    links: dict[str, str] = {}

    class Page(HTMLParser):
        href: str | None = None

        def handle_starttag(
            self, tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            self.href = dict(attrs).get("href") if tag == "a" else None

        def handle_data(self, data: str) -> None:
            if self.href:
                links.setdefault(data.strip(), self.href)

    Page().feed(text)
    return links
