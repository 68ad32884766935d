"""`./nexora demo`: the main job on real input, start to finish, every step checked.

Text, picture and film are the user's own (`--text`, `--image`, `--video`) or the supplied ones. Nothing is
simulated but the platforms themselves, whose place the sandbox takes. The exit code is 0 only if every check
held.
"""

from __future__ import annotations

import argparse
import mimetypes
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from nexora_client import NexoraError
from workers.cli.browser import BrowserStoppedError
from workers.cli.demo import accounts, backups, connecting, posts, rights
from workers.cli.demo.report import write_report
from workers.cli.demo.stage import File, Input, Stage
from workers.cli.demo.steps import DemoFailedError, Steps
from workers.cli.local import ROOT, LocalService

INPUT = Path(__file__).parents[1] / "demo_input"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `demo`."""
    parser.add_argument("--text", type=Path, default=INPUT / "first-light.txt", help="text file to publish")
    parser.add_argument(
        "--image", type=Path, default=INPUT / "first-light.jpg", help="JPEG to publish with it"
    )
    parser.add_argument(
        "--alt", default="A lake at dawn, a camera on a tripod, somebody watching.", help="what it shows"
    )
    parser.add_argument("--video", type=Path, default=INPUT / "first-light.mp4", help="film (MP4) to publish")
    parser.add_argument(
        "--report", type=Path, default=ROOT / ".nexora" / "demo.html", help="where the report goes (HTML)"
    )


def run(args: argparse.Namespace) -> int:
    """Returns 0 if every check held, 1 if one did not, 2 if the input cannot be used."""
    console = Console(highlight=False)
    try:
        given = Input(
            _text(args.text), _file(args.image, "image/jpeg", args.alt), _file(args.video, "video/mp4", "")
        )
    except ValueError as fault:
        console.print(f"[red]{fault}[/red]")
        return 2
    attestation = args.report.with_name("attestation.html")
    steps = Steps(console)
    (ROOT / ".nexora").mkdir(exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="demo-", dir=ROOT / ".nexora"))
    try:
        steps.begin("Start: Postgres, the API, the sandbox of the platforms, one worker")
        with LocalService(state, durable=False, progress=steps.note) as service:
            play(Stage(service, steps, given), attestation)
            write_report(args.report, service.sandbox.url, steps)
    except (DemoFailedError, BrowserStoppedError, NexoraError) as error:
        console.print(f"\n[red]The demo stopped: {error}[/red]")
        return 1
    finally:
        shutil.rmtree(state, ignore_errors=True)
    console.print(
        f"\n[green bold]{steps.held} checks held.[/green bold] Posts as the platforms got them: {args.report}\n"
        f"The privacy policy, attested: {attestation}"
    )
    return 0


def play(stage: Stage, attestation: Path) -> None:
    """Every scene in order; `attestation` is where the proof goes.

    Raises:
        DemoFailedError: something did not hold.
    """
    accounts.sign_up(stage)
    connecting.connect_all(stage)
    connecting.look_into_the_vault(stage)
    picture_post = posts.publish_a_picture(stage)
    backup = backups.begin(stage)
    posts.publish_a_film(stage)
    posts.publish_a_thread(stage)
    lost = posts.lose_an_answer(stage)
    bob = accounts.try_as_somebody_else(stage, picture_post)
    leaving = rights.delete_account(stage, bob)
    export = rights.ask_for_everything(stage)
    rights.fetch_everything(stage, export)
    rights.see_it_done(stage, leaving)
    backups.see_it_restored(stage, backup)
    connecting.break_and_repair(stage)
    posts.see_it_found(stage, lost)
    connecting.disconnect(stage)
    accounts.change_password(stage)
    rights.see_what_is_left(stage, leaving)
    rights.prove_the_promises(stage, attestation)


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"--text: there is no file {path}.")
    return path.read_text().strip()


def _file(path: Path, mime_type: str, alt_text: str) -> File:
    if not path.is_file() or mimetypes.guess_type(path.name)[0] != mime_type:
        raise ValueError(f"{path} is not a file of type {mime_type}.")
    return File(path, mime_type, alt_text)
