"""One file out of a wheel or an sdist, and nothing else of it.

Knows: zip and tar. Does not know: which file, or whether it is the right one.
"""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

from mrnn_np.runtime.errors import InputError

DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


def take_out(archive: Path, member: str, target: Path, size: int) -> None:
    """Copy one member of an archive to a file.

    The member's path is only looked up, never created: where the file goes is decided
    here, so that a path like ``../../x`` leads nowhere.

    Raises
    ------
    InputError : damaged archive, no such member, or not of `size` bytes.
    """
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as opened:
                if opened.getinfo(member).file_size != size:
                    raise InputError(f"{archive.name}: {member} has another length")
                with opened.open(member) as source, open(target, "wb") as copy:
                    shutil.copyfileobj(source, copy)
        else:
            with tarfile.open(archive) as tar:
                found = tar.getmember(member)
                # None: no file, but a folder or a device
                inner = tar.extractfile(found) if found.isfile() else None
                if inner is None or found.size != size:
                    raise InputError(f"{archive.name}: {member} has another length")
                with inner, open(target, "wb") as copy:
                    shutil.copyfileobj(inner, copy)
    except KeyError:
        raise InputError(f"{archive.name}: has no {member}") from None
    except DAMAGE as error:
        raise InputError(f"{archive.name}: cannot be unpacked: {error}") from error
