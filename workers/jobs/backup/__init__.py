"""Backups (P3.2): the database and the stored files, sealed on the way, in a folder or a private bucket.

Nothing is held whole: `pg_dump` and the storage are read block by block, sealed chunk by chunk and written. The list of
backups in the database is compared with what lies there, and what has reached its 35 days is removed (P8.2).
"""

from workers.jobs.backup.contents import ContentsError, Frame, read_frames
from workers.jobs.backup.dump import DumpError, client_tool, connection
from workers.jobs.backup.making import (
    BackupGateway,
    BackupSource,
    MadeBackup,
    keep_tombstones,
    make_backup,
    purge_backups,
    run_backups,
)
from workers.jobs.backup.places import BUCKET, BucketPlace, FolderPlace, Place, place_at
from workers.jobs.backup.tombstones import (
    FOLDER,
    TombstoneError,
    Tombstones,
    copy_tombstones,
    read_tombstones,
)

__all__ = [
    "BUCKET",
    "FOLDER",
    "BackupGateway",
    "BackupSource",
    "BucketPlace",
    "ContentsError",
    "DumpError",
    "FolderPlace",
    "Frame",
    "MadeBackup",
    "Place",
    "TombstoneError",
    "Tombstones",
    "client_tool",
    "connection",
    "copy_tombstones",
    "keep_tombstones",
    "make_backup",
    "place_at",
    "purge_backups",
    "read_frames",
    "read_tombstones",
    "run_backups",
]
