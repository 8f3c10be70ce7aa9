"""Where a home lies: on a disk of this machine, on a network, or in a folder that another program copies."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil

NETWORK: Final = frozenset(
    {
        *("afp", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "davfs2"),
        *("fhgfs", "glusterfs", "gpfs", "lustre", "ncp", "ncpfs", "nfs", "nfs3", "nfs4", "orangefs", "pvfs2"),
        *("smb", "smb2", "smb3", "smbfs", "sshfs", "webdav"),
    }
)
"""Types of file systems whose files other machines write too. SQLite's write-ahead log needs memory that all
who have it open share, and locks that hold: https://sqlite.org/wal.html, "Use of WAL Without Shared-Memory".
"""

NETWORK_FUSE: Final = frozenset(
    {
        *("ceph", "davfs", "davfs2", "gcsfuse", "glusterfs", "gvfsd-fuse", "rclone"),
        *("s3fs", "smbnetfs", "sshfs"),
    }
)
"""The same among those that a program of the user serves: `fuse.sshfs`."""

SYNCED: Final[Mapping[str, str]] = {
    "cloudstorage": "the cloud storage of macOS",
    "dropbox": "Dropbox",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "icloud drive": "iCloud",
    "iclouddrive": "iCloud",
    "mobile documents": "iCloud",
    "nextcloud": "Nextcloud",
    "onedrive": "OneDrive",
    "owncloud": "ownCloud",
    "pcloud drive": "pCloud",
    "pclouddrive": "pCloud",
    "synologydrive": "Synology Drive",
}
"""Names of folders, in lower case, and who keeps what lies in them in step with another machine."""

MARKS: Final[Mapping[str, str]] = {
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "ownCloud",
    ".stfolder": "Syncthing",
}
"""What such a program leaves in the folder that it copies."""

VARIABLES: Final = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")


class Partition(Protocol):
    """One mounted file system, as psutil tells of it."""

    @property
    def mountpoint(self) -> str: ...

    @property
    def fstype(self) -> str: ...

    @property
    def opts(self) -> str: ...


@dataclass(frozen=True)
class Volume:
    """`kind` is the type of the file system, `mount` where it begins."""

    kind: str
    mount: str


def mounted() -> list[Partition]:
    """All that is mounted now, as far as is seen; what is mounted over another comes later."""
    try:
        return list(psutil.disk_partitions(all=True))
    except (FileNotFoundError, PermissionError):
        return []  # no /proc, as in some sandboxes


def network_volume(folder: Path, partitions: Iterable[Partition] | None = None) -> Volume | None:
    """The network file system that a folder lies on; None where it is this machine's, as far as is seen."""
    place = folder.resolve()
    if place.drive.startswith("\\\\"):
        return Volume("UNC path", place.drive)
    found: Partition | None = None
    for one in mounted() if partitions is None else partitions:
        inside = place == Path(one.mountpoint) or place.is_relative_to(one.mountpoint)
        if inside and (found is None or len(one.mountpoint) >= len(found.mountpoint)):
            found = one
    if found is None:
        return None
    remote = "remote" in found.opts.split(",") if sys.platform == "win32" else _is_network(found.fstype)
    return Volume(found.fstype or "network drive", found.mountpoint) if remote else None


def refusal(folder: Path, volume: Volume) -> str:
    """Why no log is written there."""
    return (
        f"{folder} lies on a network file system ({volume.kind}, {volume.mount}), "
        "where a write-ahead log is not safe: move the home to a disk of this machine; reading verbs work"
    )


def synced_by(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Which program keeps the folder in step with another machine; None where no sign of one is seen."""
    place = folder.resolve()
    for one in (place, *place.parents):
        name = one.name.lower()
        if (who := SYNCED.get(name)) is not None:
            return who
        if name.startswith("onedrive - "):
            return SYNCED["onedrive"]
        if (mark := next((mark for mark in MARKS if os.path.lexists(one / mark)), None)) is not None:
            return MARKS[mark]
    roots = (environ.get(name) for name in VARIABLES)
    return SYNCED["onedrive"] if any(root and place.is_relative_to(root) for root in roots) else None


def warning(folder: Path, environ: Mapping[str, str]) -> str | None:
    """What is to be said of a home in a folder that is copied while it is written; None where it is not."""
    who = synced_by(folder, environ)
    if who is None:
        return None
    return (
        f"{who} keeps {folder} in step with other machines: it may copy the log while it is written, "
        "or put an older one in its place. Move the home out of there."
    )


def _is_network(kind: str) -> bool:
    kind = kind.lower()
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.") in NETWORK_FUSE
    return kind in NETWORK
