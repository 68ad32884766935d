"""Scenes about rights: everything of a person as one archive, an account deleted for good, and the proof of it all."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx

from nexora_client import AccountState, Export, ExportState, NexoraClient, Right
from nexora_client.errors import NotSignedIn, WrongCredentials
from workers.attestation import Attestation, write_report
from workers.cli import attest
from workers.cli.demo.connecting import SEALED_RECORD_MAGIC
from workers.cli.demo.stage import PASSWORD, Stage

BOBS_WORDS = "Nobody has to know that I was ever here."


@dataclass(frozen=True)
class Leaving:
    """Somebody who deletes their account: by what they could be found, and the request."""

    client: NexoraClient
    email: str
    user_id: UUID
    erasure_id: UUID


def ask_for_everything(stage: Stage) -> Export:
    """Ada asks for her data; the worker makes the archive while the story goes on (P7.4)."""
    stage.steps.begin("Ada asks for a copy of everything that is hers")
    held = [place for place in stage.ada.privacy.my_data() if place.row_count]
    stage.steps.check(f"at any time she sees what is held about her: {len(held)} places (P7.1)", bool(held))
    export = stage.ada.privacy.request_export()
    stage.steps.check("one archive is being made of it", export.state is ExportState.REQUESTED)
    (request,) = (r for r in stage.ada.privacy.rights.list() if r.kind is Right.EXPORT)
    days = (request.due_at - request.received_at).days
    stage.steps.check(f"her right is on record, with {days} days to answer it (P7.7)", days == 30)
    return export


def delete_account(stage: Stage, bob: NexoraClient) -> Leaving:
    """Bob leaves: locked at once, deleted when he can change his mind no more (P7.3)."""
    steps, email = stage.steps, f"bob.{stage.email}"
    steps.begin("Bob has seen enough, and deletes his account")
    user_id = bob.account.me().user_id
    bob.content.captions.create(BOBS_WORDS)
    picture = _bobs_picture(stage)
    bob.content.media.upload(picture, stage.given.picture.mime_type, alt_text=BOBS_WORDS)
    digest = hashlib.sha256(picture).hexdigest()
    steps.check("his picture is among the stored files", digest in stage.service.stored_digests())
    erasure = bob.privacy.erasure.request()
    steps.check(
        f"by {erasure.due_at:%d %B} it is gone; he can change his mind until {erasure.cancel_until:%d %B} (P7.3)",
        erasure.due_at - erasure.requested_at == timedelta(days=30),
    )
    try:
        bob.account.me()
    except NotSignedIn:
        steps.check("at that moment all of his sessions end", True)
    else:
        steps.check("at that moment all of his sessions end", False)
    state = bob.account.sign_in(email, PASSWORD).state
    steps.check(f"signed in again, his account is {state.value}", state is AccountState.LOCKED)
    with stage.database() as database:
        database.execute(
            """update private.erasures set requested_at = requested_at - interval '168 hours',
                 grace_until = grace_until - interval '168 hours', due_at = due_at - interval '168 hours'
               where id = %s""",
            (erasure.id,),
        )
        database.execute("select private.enqueue('erasure', %s, now())", (erasure.id,))
    steps.note(
        "seven days pass: the database's owner dates the request back by a week; nothing else is moved"
    )
    return Leaving(bob, email, user_id, erasure.id)


def fetch_everything(stage: Stage, export: Export) -> None:
    """The archive by its one-time link, and whether it is what the manifest says (P7.4)."""
    steps, privacy = stage.steps, stage.ada.privacy
    steps.begin("Ada fetches the archive")

    def current() -> Export:
        return next(found for found in privacy.exports() if found.id == export.id)

    steps.eventually("it is ready", lambda: current().state is ExportState.READY)
    export = current()
    link = privacy.open_export(export.id)
    way = httpx.get(link)
    content = httpx.get(way.headers["location"]).content
    steps.check(
        "a link leads to it once, and not again", httpx.get(link).status_code == httpx.codes.NOT_FOUND
    )
    digest = hashlib.sha256(content).hexdigest()
    steps.check(f"{len(content) // 1024} KB with the digest that the service named", digest == export.sha256)
    archive = zipfile.ZipFile(io.BytesIO(content))
    manifest = json.loads(archive.read("manifest.json"))
    listed = {file["path"]: file["sha256"] for file in manifest["files"]}
    actual = {
        name: hashlib.sha256(archive.read(name)).hexdigest()
        for name in archive.namelist()
        if name != "manifest.json"
    }
    steps.check(f"{len(listed)} files, each as the manifest lists it", listed == actual)
    bodies = [json.loads(line)["body"] for line in archive.read("data/posts.ndjson").splitlines()]
    given = stage.given
    steps.check(
        "her words, her picture and her film are in it",
        given.text in bodies and {given.picture.sha256, given.film.sha256} <= set(actual.values()),
    )
    rows = b"".join(archive.read(name) for name in archive.namelist() if name.startswith("data/"))
    steps.check(
        "no token is (P6.6)", SEALED_RECORD_MAGIC.hex().encode() not in rows and b"sealed_" not in rows
    )


def see_it_done(stage: Stage, gone: Leaving) -> None:
    """The worker has carried the deletion out, meanwhile."""
    steps = stage.steps
    steps.begin("Bob's account is deleted")
    steps.eventually("the worker has deleted everything", lambda: _erasure_state(stage, gone) == "completed")
    try:
        gone.client.account.sign_in(gone.email, PASSWORD)
    except WrongCredentials:
        steps.check("nobody can sign in with his password", True)
    else:
        steps.check("nobody can sign in with his password", False)
    with stage.database() as database:
        database.execute("select private.send_erasure_notices()")
        entries = database.execute(
            "select seq from private.erasure_ledger where erasure_id = %s", (gone.erasure_id,)
        ).fetchall()
    steps.check(f"the ledger says in {len(entries)} entries what was deleted, and not of whom", bool(entries))
    steps.note("the housekeeping of every five minutes comes now, and hands over his last mail")


def see_what_is_left(stage: Stage, gone: Leaving) -> None:
    """Nothing in the database or on disk leads to Bob any more (P8.2)."""
    steps = stage.steps
    steps.begin("What is left of Bob")
    steps.eventually(
        "his last mail has gone, and its address is forgotten",
        lambda: _is_told(stage, gone) and _is_forgotten(stage),
    )
    everything = stage.service.dump().lower()
    marks = [gone.email, str(gone.user_id), BOBS_WORDS.lower()]
    left = [mark for mark in marks if mark.encode() in everything]
    steps.check(
        f"a dump of {len(everything) // 1024} KB holds no address, id or word of his (P8.2)", not left
    )
    digest = hashlib.sha256(_bobs_picture(stage)).hexdigest()
    steps.check("his picture is no stored file any more", digest not in stage.service.stored_digests())


def _bobs_picture(stage: Stage) -> bytes:
    """Ada's, with a word of his behind its end: another file than hers."""
    return stage.given.picture.path.read_bytes() + BOBS_WORDS.encode()


def _is_told(stage: Stage, gone: Leaving) -> bool:
    mails = stage.service.control.mails(gone.email)
    return any(mail.subject == "Your account has been deleted" for mail in mails)


def _erasure_state(stage: Stage, gone: Leaving) -> object:
    with stage.database() as database:
        row = database.execute(
            "select state from private.erasures where id = %s", (gone.erasure_id,)
        ).fetchone()
    return row and row[0]


def _is_forgotten(stage: Stage) -> bool:
    with stage.database() as database:
        return database.execute("select 1 from private.mails where address is not null").fetchone() is None


def prove_the_promises(stage: Stage, path: Path) -> Attestation:
    """Every promise of the privacy policy against this very database."""
    steps = stage.steps
    steps.begin("What was promised, proven")
    environment = stage.service.worker_environment()
    attestation, is_stored, faults = asyncio.run(
        attest.attest(stage.service.stack.database_url, attest.surroundings_of(environment))
    )
    failed = [result.check or result.promise for result in attestation.results if result.status == "fail"]
    pending = [result for result in attestation.results if result.status == "pending"]
    words = f"{attestation.count('pass')} checks of the privacy policy passed, {len(failed)} failed"
    steps.check(", ".join([words, *failed]), not failed)
    missing = sorted({str(result.evidence["missing_feature"]) for result in pending})
    steps.note(f"{len(pending)} promises are pending until there is: {', '.join(missing)}")
    steps.check("the result is signed and follows the one before", is_stored and not faults)
    write_report(path, attestation, is_stored=is_stored)
    steps.note(f"the report to hand over: {path}")
    return attestation
