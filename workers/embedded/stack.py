"""The embedded stack: Postgres, API, auth, files and mail of a hosted project, on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from workers.embedded import database as hosted
from workers.embedded import migrations, placement
from workers.embedded.api import ApiServer
from workers.embedded.cluster import ADMIN, Cluster
from workers.embedded.keys import StackSecrets
from workers.embedded.mail import MailCatcher
from workers.embedded.placement import PlacementError

_API_ROLE = "embedded_api"


@dataclass(frozen=True)
class AuthSettings:
    """The settings of Supabase Auth that tests and people vary.

    Args:
        jwt_expiry_seconds: life of an access token.
        email_confirmations: whether a new person has to follow a link in a mail before signing in.
        site_url: where links in mails lead, unless the request says otherwise.
        redirect_urls: where they may lead as well.
    """

    jwt_expiry_seconds: int = 3600
    email_confirmations: bool = False
    site_url: str = "http://127.0.0.1:3000"
    redirect_urls: tuple[str, ...] = ()


def _silent(_: str) -> None:
    """Reports progress to nobody."""


class Stack:
    """One cluster with its API. Use it as a context manager, or call `stop` yourself; stopping twice is fine.

    When this process ends in any other way, the kernel ends Postgres and Node with it, and the next start
    recovers.
    """

    def __init__(self, state_dir: Path, *, durable: bool, auth: AuthSettings) -> None:
        self._lock = placement.StateLock(state_dir)
        self._closing = contextlib.ExitStack()
        self._closing.callback(self._lock.close)
        self._guard = threading.RLock()
        self._state_dir = state_dir
        self._durable = durable
        self._kind = "durable" if durable else "ephemeral"
        self._complete = state_dir / "cluster.complete"
        self._auth = auth
        self._served: dict[str, str] = {}
        self.secrets = StackSecrets.load_or_create(state_dir / "secrets.json")

    @classmethod
    def start(
        cls,
        state_dir: Path,
        *,
        durable: bool = True,
        auth: AuthSettings | None = None,
        progress: Callable[[str], None] = _silent,
    ) -> Stack:
        """Starts everything; database "postgres" is provisioned and not served yet.

        Args:
            state_dir: where data, secrets and logs lie; created when missing.
            durable: keep the data. Without it the cluster is fast, and gone after `stop`.
            auth: what a hosted project sets on its dashboard under Authentication.
            progress: gets one short line per step.

        Raises:
            ClusterError, ApiError, PlacementError: it did not start; nothing is left running.
        """
        state_dir = state_dir.resolve()
        state_dir.mkdir(parents=True, exist_ok=True)
        stack = cls(state_dir, durable=durable, auth=auth or AuthSettings())
        try:
            placement.remove_orphans()
            stack._start(progress)
        except BaseException:
            stack.stop()
            raise
        return stack

    def _start(self, progress: Callable[[str], None]) -> None:
        # Node needs a third of a second to load: it does so while Postgres is being made.
        self.mail = MailCatcher()
        self._closing.callback(self.mail.close)
        self._api = ApiServer(self.api_config(), self._state_dir / "api.log")
        self._closing.callback(self._api.close)
        place = placement.place(self._state_dir, durable=self._durable)
        self._cluster = Cluster(place, self.secrets, self._state_dir / "postgres.log", durable=self._durable)
        fresh = self._must_create()
        if fresh:
            progress("creating the database cluster")
            self._cluster.create()
        progress("starting Postgres")
        if not self._durable:
            self._closing.callback(self._discard)
        self._cluster.start()
        self._closing.callback(self._cluster.stop)
        if fresh:
            progress("creating roles, auth and storage")
            self._set_up()
            if self._durable:
                os.sync()
            self._complete.write_text(self._kind)

    def _must_create(self) -> bool:
        """Whether there is no cluster to go on with. What is left of an ephemeral one is not trusted."""
        if not self._complete.exists():
            return True
        kept = self._complete.read_text()
        if kept != self._kind:
            raise PlacementError(f"{self._state_dir} holds a {kept} stack, not a {self._kind} one")
        return not self._durable or not self._cluster.exists

    def _set_up(self) -> None:
        with self._cluster.connect() as connection:
            hosted.create_roles(connection, self.secrets)
            hosted.prepare(connection, "postgres")
        self.provision("postgres")

    def api_config(self) -> dict[str, object]:
        """The configuration of the API server, secrets included, in the form of supabase/local/server.mjs."""
        return {
            "publishableKey": self.secrets.publishable_key,
            "secretKey": self.secrets.secret_key,
            "jwtSecret": self.secrets.jwt_secret,
            "jwtExpirySeconds": self._auth.jwt_expiry_seconds,
            "emailConfirmations": self._auth.email_confirmations,
            "siteUrl": self._auth.site_url,
            "redirectUrls": list(self._auth.redirect_urls),
            "smtpPort": self.mail.smtp_port,
            "filesDirectory": str(self._state_dir / "files"),
            "schemas": list(hosted.EXPOSED_SCHEMAS),
            "beforeUserCreated": hosted.BEFORE_USER_CREATED,
        }

    def restart_database(self) -> None:
        """Switches Postgres off as a power cut would, and on again on the same port; the API goes on.

        Of a stack that is not durable, what was committed in the last moment may be gone.
        """
        self._cluster.restart()

    def stop(self) -> None:
        """Stops everything, in the reverse order of starting."""
        self._closing.close()

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _discard(self) -> None:
        self._cluster.remove()
        self._complete.unlink(missing_ok=True)
        shutil.rmtree(self._state_dir / "files", ignore_errors=True)

    @property
    def admin_url(self) -> str:
        """Superuser `supabase_admin` on database "postgres"."""
        return self.url("postgres", admin=True)

    @property
    def database_url(self) -> str:
        """Role `postgres` (no superuser, as on hosted) on database "postgres"."""
        return self.url("postgres")

    def url(self, database: str, *, admin: bool = False) -> str:
        """Connection URL of a database, with the password in it."""
        if admin:
            return self._url(ADMIN, self.secrets.admin_password, database)
        return self._url("postgres", self.secrets.postgres_password, database)

    def api_database_url(self, database: str) -> str:
        """Connection URL of the role that the API server logs in as."""
        return self._url(_API_ROLE, self.secrets.api_password, database)

    def _url(self, role: str, password: str, name: str) -> str:
        # The CLI asks for TLS where a URL does not say otherwise.
        return f"postgresql://{role}:{password}@127.0.0.1:{self._cluster.port}/{quote(name)}?sslmode=disable"

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Creates a database owned by `postgres`: empty, or a copy of `template`.

        The sessions of the template are ended for it; its API goes on with new ones.
        """
        # A copy of the files beats the log when nothing is synced to disk.
        strategy: hosted.Strategy = "wal_log" if self._durable else "file_copy"
        with self._guard, self._cluster.connect() as connection:
            hosted.create(connection, name, template, strategy)

    def drop_database(self, name: str) -> None:
        """Drops a database with its sessions; one that does not exist is fine."""
        self.unserve(name)
        with self._cluster.connect() as connection:
            hosted.drop(connection, name)
        shutil.rmtree(self._state_dir / "files" / quote(name, safe=""), ignore_errors=True)

    def provision(self, database: str) -> None:
        """Brings a database to the state of a fresh hosted project: auth, storage, grants. Safe to repeat."""
        with self._cluster.connect(database) as connection:
            hosted.provision(connection, lambda: self._api.provision(self.url(database, admin=True)))

    def serve(self, database: str = "postgres") -> str:
        """Base URL of the API of a database: REST under /rest/v1, auth under /auth/v1, files under
        /storage/v1.
        """
        with self._guard:
            if database not in self._served:
                self._served[database] = self._api.serve(database, self.api_database_url(database))
            return self._served[database]

    def unserve(self, database: str) -> None:
        """Ends the API of a database; one that is not served is fine."""
        with self._guard:
            if self._served.pop(database, None):
                self._api.stop_serving(database)

    def push_migrations(self, database: str, migrations_root: Path) -> None:
        """Applies the pending migrations with the official CLI, as role `postgres`. Safe to repeat.

        Args:
            database: name of a provisioned database.
            migrations_root: the directory that holds `supabase/migrations`.

        Raises:
            MigrationError: one failed; the message carries what the CLI said.
        """
        migrations.push(self.url(database), migrations_root, self._state_dir)

    def restart_postgres(self) -> None:
        """Stops Postgres as a power cut would and starts it again on the same port."""
        self._cluster.restart()
