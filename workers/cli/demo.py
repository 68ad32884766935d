"""`./nexora demo`: the main job on real input, start to finish, every step checked.

The text and the picture are the user's own (`--text`, `--image`) or the supplied ones. Nothing is simulated but the
platforms themselves, whose place the sandbox takes. The exit code is 0 only if every check held.
"""

from __future__ import annotations

import argparse
import hashlib
import mimetypes
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
from rich.console import Console

from nexora_client import Connection, Feature, NexoraClient, NexoraError, Platform, Post, Target, TargetState
from nexora_client.errors import IdempotencyKeyReused, NotSignedIn, TooYoung, ValidationFailed
from workers.cli.browser import BrowserStoppedError, follow_redirects
from workers.cli.demo_report import write_report
from workers.cli.demo_steps import DemoFailedError, Steps
from workers.cli.local import APP_REDIRECT, ROOT, LocalService

INPUT = Path(__file__).parent / "demo_input"
PASSWORD = "first light at the lake, thirty days"  # noqa: S105  of a person who exists for the length of the demo
DROPPED_TEXT = "Behind the scenes: the camera that survived thirty dawns."
SETTLED_WITHIN_SECONDS = 60
PLATFORM_NAMES = {Platform.X: "X", Platform.LINKEDIN: "LinkedIn"}
SEALED_RECORD_MAGIC = b"NXT"


@dataclass(frozen=True)
class Picture:
    """The image that the demo publishes."""

    path: Path
    mime_type: str
    alt_text: str

    def sha256(self) -> str:
        """Digest of the file, to recognise it at the platforms."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `demo`."""
    parser.add_argument("--text", type=Path, default=INPUT / "first-light.txt", help="text file to publish")
    parser.add_argument(
        "--image", type=Path, default=INPUT / "first-light.jpg", help="JPEG or PNG to publish with it"
    )
    parser.add_argument(
        "--alt", default="A lake at dawn, a camera on a tripod, somebody watching.", help="what it shows"
    )
    parser.add_argument(
        "--report", type=Path, default=ROOT / ".nexora" / "demo.html", help="where the report goes (HTML)"
    )


def run(args: argparse.Namespace) -> int:
    """Returns 0 if every check held, 1 if one did not, 2 if the input cannot be used."""
    console = Console(highlight=False)
    mime_type = mimetypes.guess_type(args.image.name)[0] or ""
    if not args.text.is_file() or not args.image.is_file() or not mime_type.startswith("image/"):
        console.print("[red]--text must name a text file and --image a picture (JPEG or PNG).[/red]")
        return 2
    picture = Picture(args.image, mime_type, args.alt)
    steps = Steps(console)
    state = Path(tempfile.mkdtemp(prefix="demo-", dir=_ensure(ROOT / ".nexora")))
    try:
        steps.begin("Start: Postgres, the API, the sandbox of the platforms, one worker")
        with LocalService(state, durable=False, progress=steps.note) as service:
            Demo(service, steps, args.text.read_text().strip(), picture).play()
            write_report(args.report, service.sandbox.url, steps)
    except (DemoFailedError, BrowserStoppedError, NexoraError) as error:
        console.print(f"\n[red]The demo stopped: {error}[/red]")
        return 1
    finally:
        shutil.rmtree(state, ignore_errors=True)
    console.print(
        f"\n[green bold]{steps.held} checks held.[/green bold] Posts as the platforms got them: {args.report}"
    )
    return 0


class Demo:
    """One telling of the story."""

    def __init__(self, service: LocalService, steps: Steps, text: str, picture: Picture) -> None:
        self._service = service
        self._steps = steps
        self._text = text
        self._picture = picture
        self._ada = self._client()
        self._email = f"ada.{uuid.uuid4().hex[:8]}@creators.example"

    def play(self) -> None:
        """Every scene in order.

        Raises:
            DemoFailedError: something did not hold.
        """
        self._make_operator_impatient()
        self._sign_up()
        connections = [self._connect(Platform.X), self._connect(Platform.LINKEDIN)]
        self._look_into_the_vault()
        post = self._write(connections)
        self._publish(post)
        self._compare_with_platforms(post)
        self._lose_the_answer(connections[0])
        self._try_as_somebody_else(post)
        self._disconnect(connections[0])
        self._change_password()

    def _client(self) -> NexoraClient:
        return NexoraClient(self._service.api_url, self._service.stack.secrets.publishable_key)

    def _database(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self._service.stack.database_url, autocommit=True)

    def _make_operator_impatient(self) -> None:
        """Shorter pauses between two attempts than in production, so that the demo shows a repair in seconds."""
        with self._database() as connection:
            connection.execute("update private.settings set value = '2' where key = 'backoff_base_seconds'")

    def _sign_up(self) -> None:
        self._steps.begin("Ada signs up")
        try:
            self._client().account.sign_up(
                f"kid.{self._email}", PASSWORD, date.today() - timedelta(days=12 * 365)
            )
        except TooYoung as refusal:
            self._steps.check(f"a twelve-year-old is refused by the database ({refusal.code})", True)
        else:
            self._steps.check("a twelve-year-old is refused by the database", False)
        self._ada.account.sign_up(self._email, PASSWORD, date(1990, 5, 17))
        account, profile = self._ada.account.me(), self._ada.profile.get()
        self._steps.check(f"her account is {account.state}", account.state == "active")
        self._steps.check(f"a profile was made for her: @{profile.handle}", bool(profile.handle))
        renamed = self._ada.profile.change_handle("ada.films")
        self._steps.check(f"she takes the handle @{renamed.handle}", renamed.handle == "ada.films")
        self._service.control.add_person("ada", "Ada Lakes", "adafilms", "Films one lake, every dawn")

    def _connect(self, platform: Platform) -> Connection:
        self._steps.begin(f"She connects {PLATFORM_NAMES[platform]}")
        self._service.control.auto_approve(platform, "ada")
        url = self._ada.connections.begin(platform, [Feature.PROFILE, Feature.PUBLISH], APP_REDIRECT)
        landed = follow_redirects(url, APP_REDIRECT)
        code = landed.params.get("connection_code")
        self._steps.check("the browser went to the platform and came back with a one-time code", bool(code))
        connection = self._ada.connections.confirm(code)
        self._steps.check(
            f"{connection.display_name} is {connection.state.value}", connection.state == "active"
        )
        return connection

    def _look_into_the_vault(self) -> None:
        self._steps.begin("What the database keeps of her tokens and her password")
        with self._database() as connection:
            sealed = connection.execute(
                "select sealed_access from private.token_vault"
                " union all select sealed_revocation from private.token_vault"
            ).fetchall()
        is_sealed = bool(sealed) and all(bytes(row[0]).startswith(SEALED_RECORD_MAGIC) for row in sealed)  # type: ignore[call-overload]
        self._steps.check(
            f"{len(sealed)} tokens, each sealed with AES-256-GCM for its row alone (P3.4)", is_sealed
        )
        everything = self._service.dump()
        secrets = [PASSWORD, *self._service.keyring_keys()]
        found = [secret for secret in secrets if secret.encode() in everything]
        self._steps.check(
            f"a dump of {len(everything) // 1024} KB holds neither password nor key (P1.1, P3.5)", not found
        )

    def _write(self, connections: Sequence[Connection]) -> Post:
        self._steps.begin(f"She writes a post of {len(self._text)} characters with {self._picture.path.name}")
        media = self._ada.content.media.upload(
            self._picture.path, self._picture.mime_type, alt_text=self._picture.alt_text
        )
        self._steps.check(
            f"the picture is in her private bucket ({media.size_bytes} bytes)", media.size_bytes > 0
        )
        public = httpx.get(
            f"{self._service.api_url}/storage/v1/object/public/{media.bucket_id}/{media.object_name}"
        )
        self._steps.check("without a signed address nobody gets it (P3.3)", public.is_client_error)
        post = self._ada.content.posts.create(self._text, title="First light")
        self._ada.content.posts.attach(post.id, media.id, position=1)
        for connection in connections:
            self._ada.publishing.targets.add(post.id, connection.id)
        self._fit_to_each_platform(post)
        return post

    def _fit_to_each_platform(self, post: Post) -> None:
        for target in self._ada.publishing.targets.of_post(post.id):
            problems = [
                p
                for p in self._ada.publishing.check(post.id)
                if p.target_id == target.id and p.severity == "error"
            ]
            for problem in problems:
                self._steps.note(f"{target.platform_id}: {problem.message}")
            if any(problem.rule.startswith("text") for problem in problems):
                self._expect_refusal(post)
                self._shorten(target)
        left = [problem for problem in self._ada.publishing.check(post.id) if problem.severity == "error"]
        self._steps.check("every target keeps the rules of its platform", not left)

    def _expect_refusal(self, post: Post) -> None:
        try:
            self._ada.publishing.schedule(post.id, datetime.now(UTC) + timedelta(hours=1))
        except ValidationFailed as refusal:
            self._steps.check(f"scheduling it so is refused ({refusal.code}) and nothing is lost", True)
        else:
            self._steps.check("scheduling it so is refused", False)

    def _shorten(self, target: Target) -> None:
        """Cut at the end of a word until the database, which knows the platform's way of counting, is content."""
        words = self._text.split(" ")
        low, high = 1, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            self._ada.publishing.targets.set_text(target.id, " ".join(words[:middle]) + " …")
            problems = self._ada.publishing.check(target.post_id)
            if any(p.target_id == target.id and p.severity == "error" for p in problems):
                high = middle - 1
            else:
                low = middle
        self._ada.publishing.targets.set_text(target.id, " ".join(words[:low]) + " …")
        self._steps.note(f"{target.platform_id} gets a text of its own, {low} of {len(words)} words")

    def _publish(self, post: Post) -> None:
        self._steps.begin("She schedules it for two seconds from now")
        at, key = datetime.now(UTC) + timedelta(seconds=2), uuid.uuid4()
        first = self._ada.publishing.schedule(post.id, at, idempotency_key=key)
        again = self._ada.publishing.schedule(post.id, at, idempotency_key=key)
        self._steps.check("clicking twice schedules once", [t.id for t in first] == [t.id for t in again])
        try:
            self._ada.publishing.schedule(post.id, at + timedelta(days=1), idempotency_key=key)
        except IdempotencyKeyReused:
            self._steps.check("the same key with another time is refused", True)
        for target in self._settled(post):
            if target.failure_message:
                self._steps.note(f"{target.failure_code}: {target.failure_message}")
            self._steps.check(
                f"{target.platform_id}: {target.state.value}", target.state is TargetState.PUBLISHED
            )
            for event in self._ada.publishing.events(target.id):
                self._steps.note(
                    f"{event.at:%H:%M:%S.%f}"[:-3] + f"  {event.from_state.value} → {event.to_state.value}"
                )
            late = (target.published_at or at) - at
            self._steps.check(f"not early, {late.total_seconds():.1f} s after its time", late >= timedelta(0))

    def _settled(self, post: Post) -> tuple[Target, ...]:
        return self._ada.publishing.wait_until_settled(post.id, SETTLED_WITHIN_SECONDS, poll_seconds=0.1)

    def _compare_with_platforms(self, post: Post) -> None:
        self._steps.begin("What the platforms received")
        posts = {published.platform: published for published in self._service.control.posts()}
        for target in self._ada.publishing.targets.of_post(post.id):
            published = posts[target.platform_id]
            wanted = target.text or post.body
            self._steps.check(
                f"{target.platform_id}: her words, letter for letter",
                published.text.strip() == wanted.strip(),
            )
            digests = [media.sha256 for media in published.media]
            self._steps.check(
                f"{target.platform_id}: her picture, byte for byte", digests == [self._picture.sha256()]
            )

    def _lose_the_answer(self, connection: Connection) -> None:
        self._steps.begin("The line breaks after X took a post and before it said so")
        self._service.control.add_fault("reset_after", platform="x", method="POST", path="^/x/2/tweets$")
        post = self._ada.content.posts.create(DROPPED_TEXT)
        self._ada.publishing.targets.add(post.id, connection.id)
        self._ada.publishing.publish_now(post.id)
        (target,) = self._settled(post)
        copies = [
            published for published in self._service.control.posts("x") if published.text == DROPPED_TEXT
        ]
        self._steps.check(
            "the worker asked X instead of sending again", target.state is TargetState.PUBLISHED
        )
        self._steps.check(f"on X there is exactly one ({len(copies)})", len(copies) == 1)

    def _try_as_somebody_else(self, post: Post) -> None:
        self._steps.begin("Bob, signed in as well, looks for what is Ada's")
        bob = self._client()
        bob.account.sign_up(f"bob.{self._email}", PASSWORD, date(1985, 1, 1))
        seen = [*bob.content.posts.list(), *bob.content.media.list(), *bob.connections.list()]
        self._steps.check("he sees none of her posts, files and connections (P3.6)", not seen)
        try:
            bob.publishing.publish_now(post.id)
        except NexoraError as refusal:
            self._steps.check(f"publishing her post: {type(refusal).__name__}, as if it did not exist", True)
        else:
            self._steps.check("publishing her post is refused", False)

    def _disconnect(self, connection: Connection) -> None:
        self._steps.begin("She disconnects X")
        state = self._ada.connections.disconnect(connection.id).state
        with self._database() as database:
            left = database.execute(
                "select count(*) from private.token_vault where connection_id = %s", (connection.id,)
            ).fetchone()
        self._steps.check(f"the connection is {state.value} and its tokens are gone (P6.7)", left == (0,))
        self._steps.eventually(
            "X was told to revoke them", lambda: bool(self._service.control.records("x", "POST", "revoke"))
        )

    def _change_password(self) -> None:
        self._steps.begin("She changes her password")
        other_device = self._client()
        other_device.account.sign_in(self._email, PASSWORD)
        self._ada.account.change_password(PASSWORD + "!")
        try:
            gone = not list(other_device.content.posts.list())
        except NotSignedIn:
            gone = True
        self._steps.check("the access token on her other device reads nothing any more (P3.8)", gone)


def _ensure(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
