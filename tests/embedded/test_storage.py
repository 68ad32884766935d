"""Storage behaves as on hosted: every call of both official clients, under row level security."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from tests.embedded.conftest import Caller
from tests.embedded.storage_clients import Bucket, JavaScriptBucket, JavaScriptDriver, PythonBucket, Refused
from workers.embedded import Stack

BucketOf = Callable[..., Bucket]


@pytest.fixture(scope="module")
def driver() -> Iterator[JavaScriptDriver]:
    running = JavaScriptDriver()
    yield running
    running.close()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture(params=["storage3", "storage-js"])
def bucket_of(request: pytest.FixtureRequest, http: httpx.Client, driver: JavaScriptDriver) -> BucketOf:
    """Makes a bucket as a caller sees it; "private" unless named."""
    if request.param == "storage3":
        return lambda caller, name="private": PythonBucket(http, caller, name)
    return lambda caller, name="private": JavaScriptBucket(driver, caller, name)


@pytest.fixture
def ada(new_person: Callable[..., Caller]) -> Caller:
    return new_person()


@pytest.fixture
def bob(new_person: Callable[..., Caller]) -> Caller:
    return new_person()


def objects(admin: psycopg.Connection[Any], folder: str) -> list[str]:
    query = "select name from storage.objects where starts_with(name, %s) order by name"
    return [row[0] for row in admin.execute(query, [folder + "/"]).fetchall()]


# A person in her own folder.


def test_upload_then_download(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/notes/a b.txt", b"hello \x00\xff", type="text/plain")
    assert bucket.download(f"{ada.id}/notes/a b.txt") == b"hello \x00\xff"


def test_upload_stores_what_hosted_stores(
    bucket_of: BucketOf, ada: Caller, admin: psycopg.Connection[Any]
) -> None:
    bucket_of(ada).upload(f"{ada.id}/a.txt", b"hello", type="text/plain", metadata={"camera": "X100"})
    query = """
        select owner::text, owner_id, metadata, user_metadata, version is not null
        from storage.objects where name = %s
    """
    [(owner, owner_id, metadata, user_metadata, versioned)] = admin.execute(
        query, [f"{ada.id}/a.txt"]
    ).fetchall()
    assert (owner, owner_id, user_metadata, versioned) == (ada.id, ada.id, {"camera": "X100"}, True)
    assert metadata["size"] == metadata["contentLength"] == 5
    assert metadata["mimetype"] == "text/plain"
    assert metadata["eTag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert metadata["cacheControl"] == "max-age=3600"
    assert metadata["lastModified"].endswith("Z")


def test_upload_twice_is_refused_unless_upsert(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a.txt", b"one")
    with pytest.raises(Refused, match="409"):
        bucket.upload(f"{ada.id}/a.txt", b"two")
    assert bucket.download(f"{ada.id}/a.txt") == b"one"
    bucket.upload(f"{ada.id}/a.txt", b"three", upsert=True)
    assert bucket.download(f"{ada.id}/a.txt") == b"three"


def test_update_replaces(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a.txt", b"one")
    bucket.update(f"{ada.id}/a.txt", b"two", type="text/plain")
    assert bucket.download(f"{ada.id}/a.txt") == b"two"


def test_list_shows_folders_and_files_relative_to_the_prefix(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    for name in ("b.txt", "a.txt", "trip/one.txt", "trip/two.txt", "100%.txt"):
        bucket.upload(f"{ada.id}/{name.replace('%', '')}", b"x")
    rows = bucket.entries(ada.id)
    assert [(row["name"], row["id"] is None) for row in rows] == [
        ("100.txt", False),
        ("a.txt", False),
        ("b.txt", False),
        ("trip", True),
    ]
    assert rows[1]["metadata"]["size"] == 1
    assert [row["name"] for row in bucket.entries(f"{ada.id}/trip")] == ["one.txt", "two.txt"]
    assert [row["name"] for row in bucket.entries(ada.id, search="a")] == ["a.txt"]
    assert [row["name"] for row in bucket.entries(ada.id, limit=1, offset=1)] == ["a.txt"]
    newest = bucket.entries(ada.id, sortBy={"column": "created_at", "order": "desc"})
    assert [row["name"] for row in newest][:2] == ["trip", "100.txt"]


def test_a_prefix_is_not_a_pattern(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/ab/x.txt", b"x")
    assert bucket.entries(f"{ada.id}/a_") == []
    assert bucket.entries("%") == []


def test_remove(bucket_of: BucketOf, ada: Caller, admin: psycopg.Connection[Any]) -> None:
    bucket = bucket_of(ada)
    for name in ("a", "b", "c"):
        bucket.upload(f"{ada.id}/{name}", b"x")
    removed = bucket.remove([f"{ada.id}/a", f"{ada.id}/b", f"{ada.id}/missing"])
    assert sorted(removed) == [f"{ada.id}/a", f"{ada.id}/b"]
    assert objects(admin, ada.id) == [f"{ada.id}/c"]


def test_remove_takes_the_file_too(bucket_of: BucketOf, ada: Caller, stack: Stack, database: str) -> None:
    content = uuid.uuid4().bytes
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a", content)
    files = Path(str(stack.api_config()["filesDirectory"])) / database
    assert any(path.read_bytes() == content for path in files.rglob("*") if path.is_file())
    bucket.remove([f"{ada.id}/a"])
    assert not any(path.read_bytes() == content for path in files.rglob("*") if path.is_file())


def test_move_and_copy(bucket_of: BucketOf, ada: Caller, admin: psycopg.Connection[Any]) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a", b"x", metadata={"k": "v"})
    bucket.copy(f"{ada.id}/a", f"{ada.id}/copy")
    bucket.move(f"{ada.id}/a", f"{ada.id}/moved")
    assert objects(admin, ada.id) == [f"{ada.id}/copy", f"{ada.id}/moved"]
    assert bucket.download(f"{ada.id}/copy") == bucket.download(f"{ada.id}/moved") == b"x"
    assert bucket.info(f"{ada.id}/copy")["metadata"] == {"k": "v"}
    with pytest.raises(Refused, match="409"):
        bucket.move(f"{ada.id}/copy", f"{ada.id}/moved")
    with pytest.raises(Refused, match="409"):
        bucket.copy(f"{ada.id}/copy", f"{ada.id}/moved")
    with pytest.raises(Refused, match="404"):
        bucket.move(f"{ada.id}/missing", f"{ada.id}/other")


def test_info_and_exists(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a.txt", b"hello", type="text/plain", metadata={"k": 1})
    assert bucket.info(f"{ada.id}/a.txt") == {"size": 5, "type": "text/plain", "metadata": {"k": 1}}
    assert bucket.exists(f"{ada.id}/a.txt")
    assert not bucket.exists(f"{ada.id}/b.txt")


# Signed URLs.


def test_a_signed_url_opens_one_object_for_a_while(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a b.txt", b"hello", type="text/plain")
    bucket.upload(f"{ada.id}/other", b"secret")
    url = bucket.signed_url(f"{ada.id}/a b.txt", 60)
    answer = httpx.get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"hello", "text/plain")
    assert (
        httpx.get(url + "&download=x.txt")
        .headers["content-disposition"]
        .startswith("attachment; filename=x.txt")
    )
    other = httpx.get(url.replace("a%20b.txt", "other"))
    assert (other.status_code, other.json()["code"]) == (400, "InvalidSignature")
    short = bucket.signed_url(f"{ada.id}/a b.txt", 1)
    time.sleep(2.1)
    assert httpx.get(short).json()["code"] == "InvalidJWT"


def test_many_signed_urls_say_which_could_not_be_made(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a", b"hello")
    [(url, error), (no_url, other_error)] = bucket.signed_urls([f"{ada.id}/a", f"{ada.id}/b"], 60)
    assert url is not None
    assert httpx.get(url).content == b"hello"
    assert error is None
    assert no_url is None
    assert "does not exist or you do not have access" in str(other_error)


def test_a_signed_upload_belongs_to_who_asked_for_it(
    bucket_of: BucketOf, ada: Caller, anonymous: Caller, admin: psycopg.Connection[Any]
) -> None:
    token = bucket_of(ada).signed_upload_token(f"{ada.id}/a.txt")
    bucket_of(anonymous).upload_with_token(f"{ada.id}/a.txt", token, b"hello", type="text/plain")
    assert bucket_of(ada).download(f"{ada.id}/a.txt") == b"hello"
    query = "select owner_id, metadata ->> 'mimetype' from storage.objects where name = %s"
    assert admin.execute(query, [f"{ada.id}/a.txt"]).fetchall() == [(ada.id, "text/plain")]
    with pytest.raises(Refused, match="409"):
        bucket_of(anonymous).upload_with_token(f"{ada.id}/a.txt", token, b"again")
    with pytest.raises(Refused, match="400"):
        bucket_of(anonymous).upload_with_token(f"{ada.id}/other.txt", token, b"x")


def test_a_token_serves_only_its_own_purpose(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a", b"hello")
    url = bucket.signed_url(f"{ada.id}/a", 60)
    token = url.split("token=")[1]
    with pytest.raises(Refused, match="400"):
        bucket.upload_with_token(f"{ada.id}/a", token, b"x")
    as_access_token = Caller(ada.api, ada.key, token)
    assert as_access_token.request("GET", f"/storage/v1/object/private/{ada.id}/a").status_code == 400
    assert as_access_token.request("GET", "/rest/v1/notes").status_code in (401, 403)
    upload_token = bucket.signed_upload_token(f"{ada.id}/b")
    assert httpx.get(url.replace(token, upload_token)).status_code == 400
    access_token = httpx.get(url.replace(token, ada.token))
    assert access_token.json()["code"] == "InvalidJWT"


# Everybody else.


def reads(bucket: Bucket, path: str, to: str) -> list[Callable[[], object]]:
    return [
        lambda: bucket.download(path),
        lambda: bucket.info(path),
        lambda: bucket.signed_url(path, 60),
        lambda: bucket.move(path, to),
        lambda: bucket.copy(path, to),
    ]


def writes(bucket: Bucket, path: str, new: str) -> list[Callable[[], object]]:
    return [
        lambda: bucket.upload(path, b"x", upsert=True),
        lambda: bucket.update(path, b"x"),
        lambda: bucket.upload(new, b"x"),
        lambda: bucket.signed_upload_token(new),
    ]


def test_others_can_do_nothing_with_her_objects(
    bucket_of: BucketOf, ada: Caller, bob: Caller, anonymous: Caller, admin: psycopg.Connection[Any]
) -> None:
    path = f"{ada.id}/a.txt"
    bucket_of(ada).upload(path, b"hello")
    for stranger in (bob, anonymous):
        bucket = bucket_of(stranger)
        assert bucket.entries(ada.id) == []
        assert not bucket.exists(path)
        assert bucket.remove([path]) == []
        [(url, error)] = bucket.signed_urls([path], 60)
        assert url is None
        assert error is not None
        for read in reads(bucket, path, f"{bob.id}/stolen"):
            with pytest.raises(Refused, match="404"):
                read()
        for write in writes(bucket, path, f"{ada.id}/planted"):
            with pytest.raises(Refused, match="403"):
                write()
    assert bucket_of(ada).download(path) == b"hello"
    assert objects(admin, ada.id) == [path]
    assert objects(admin, bob.id) == []


def test_she_cannot_plant_objects_with_others(bucket_of: BucketOf, ada: Caller, bob: Caller) -> None:
    bucket = bucket_of(ada)
    bucket.upload(f"{ada.id}/a", b"x")
    for attempt in (bucket.move, bucket.copy):
        with pytest.raises(Refused, match="403"):
            attempt(f"{ada.id}/a", f"{bob.id}/a")


def test_the_secret_key_may_do_everything_and_owns_nothing(
    bucket_of: BucketOf, ada: Caller, service: Caller, admin: psycopg.Connection[Any]
) -> None:
    bucket = bucket_of(service)
    bucket.upload(f"{ada.id}/export.zip", b"zip", type="application/zip")
    assert bucket.download(f"{ada.id}/export.zip") == b"zip"
    assert bucket_of(ada).download(f"{ada.id}/export.zip") == b"zip"
    assert httpx.get(bucket.signed_url(f"{ada.id}/export.zip", 60)).content == b"zip"
    owners = "select owner, owner_id from storage.objects where name = %s"
    assert admin.execute(owners, [f"{ada.id}/export.zip"]).fetchall() == [(None, None)]
    bucket.move(f"{ada.id}/export.zip", f"{ada.id}/old.zip")
    assert [row["name"] for row in bucket.entries(ada.id)] == ["old.zip"]
    assert bucket.remove([f"{ada.id}/old.zip"]) == [f"{ada.id}/old.zip"]


def test_a_public_bucket_is_read_without_a_key(bucket_of: BucketOf, service: Caller, ada: Caller) -> None:
    path = f"{uuid.uuid4().hex}.txt"
    bucket_of(service, "open").upload(path, b"for all", type="text/plain")
    assert httpx.get(f"{service.api}/storage/v1/object/public/open/{path}").content == b"for all"
    private = httpx.get(f"{service.api}/storage/v1/object/public/private/{path}")
    assert (private.status_code, private.json()["statusCode"]) == (400, "404")
    with pytest.raises(Refused, match="403"):
        bucket_of(ada, "open").upload("x.txt", b"x")


# Limits.


def test_a_bucket_limits_size_and_type(bucket_of: BucketOf, ada: Caller) -> None:
    bucket = bucket_of(ada, "limited")
    bucket.upload(f"{ada.id}/ok.txt", b"x" * 1000, type="text/plain")
    bucket.upload(f"{ada.id}/ok.png", b"x", type="image/png")
    with pytest.raises(Refused, match="413"):
        bucket.upload(f"{ada.id}/big.txt", b"x" * 1001, type="text/plain")
    with pytest.raises(Refused, match="415"):
        bucket.upload(f"{ada.id}/film.mp4", b"x", type="video/mp4")
    token = bucket.signed_upload_token(f"{ada.id}/later.txt")
    with pytest.raises(Refused, match="413"):
        bucket.upload_with_token(f"{ada.id}/later.txt", token, b"x" * 1001, type="text/plain")


def test_the_size_is_counted_not_believed(ada: Caller) -> None:
    def chunks() -> Iterator[bytes]:  # sent without a content-length
        for _ in range(3):
            yield b"x" * 500

    path = f"/storage/v1/object/limited/{ada.id}/a.txt"
    answer = ada.request("POST", path, content=chunks(), headers={"content-type": "text/plain"})
    assert answer.json()["statusCode"] == "413"


def test_a_large_body_goes_to_disk_and_what_is_refused_leaves_nothing(
    ada: Caller, service: Caller, stack: Stack
) -> None:
    name = f"large-{uuid.uuid4().hex[:8]}"
    body = {"name": name, "file_size_limit": "70MB"}
    service.request("POST", "/storage/v1/bucket", json=body).raise_for_status()
    path = f"/storage/v1/object/{name}/film.mp4"

    def film(megabytes: int) -> Iterator[bytes]:
        for number in range(megabytes):
            yield bytes([number]) * 1_000_000

    options = {"headers": {"content-type": "video/mp4"}}
    refused = service.request("POST", path, content=film(71), **options)
    assert refused.json()["statusCode"] == "413"
    service.request("POST", path, content=film(70), **options).raise_for_status()
    tail = service.request("GET", path, headers={"range": "bytes=69999999-69999999"})
    assert (tail.status_code, tail.content) == (206, bytes([69]))
    assert ada.request("POST", path, content=film(1), **options).json()["statusCode"] == "403"
    drafts = Path(str(stack.api_config()["filesDirectory"])).glob("*/drafts/*")
    assert list(drafts) == []


@pytest.mark.parametrize("name", ["naïve.txt", "a\\b", "%00"])
def test_names_that_hosted_refuses(ada: Caller, name: str) -> None:
    path = f"/storage/v1/object/private/{ada.id}/{quote(name, safe='')}"
    answer = ada.request("POST", path, content=b"x", headers={"content-type": "text/plain"})
    assert answer.status_code == 400


def test_a_part_of_an_object(ada: Caller) -> None:
    path = f"/storage/v1/object/private/{ada.id}/a.txt"
    ada.request(
        "POST", path, content=b"0123456789", headers={"content-type": "text/plain"}
    ).raise_for_status()
    answer = ada.request("GET", path, headers={"range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")
    assert answer.headers["content-range"] == "bytes 2-4/10"


def test_html_is_not_served_as_html(ada: Caller) -> None:
    path = f"/storage/v1/object/private/{ada.id}/a.html"
    ada.request("POST", path, content=b"<script>", headers={"content-type": "text/html"}).raise_for_status()
    assert ada.request("GET", path).headers["content-type"].startswith("text/plain")


# Buckets and the tables behind them.


def test_only_the_secret_key_manages_buckets(ada: Caller, service: Caller) -> None:
    name = f"b-{uuid.uuid4().hex[:8]}"
    body = {"name": name, "file_size_limit": "2KB", "allowed_mime_types": ["image/*"]}
    assert ada.request("POST", "/storage/v1/bucket", json=body).json()["statusCode"] == "403"
    service.request("POST", "/storage/v1/bucket", json=body).raise_for_status()
    assert ada.request("GET", "/storage/v1/bucket").json() == []
    assert service.request("GET", f"/storage/v1/bucket/{name}").json()["file_size_limit"] == 2000
    path = f"/storage/v1/object/{name}/a.png"
    service.request("POST", path, content=b"x", headers={"content-type": "image/png"}).raise_for_status()
    assert service.request("DELETE", f"/storage/v1/bucket/{name}").json()["statusCode"] == "409"
    service.request("POST", f"/storage/v1/bucket/{name}/empty").raise_for_status()
    service.request("DELETE", f"/storage/v1/bucket/{name}").raise_for_status()
    assert service.request("GET", f"/storage/v1/bucket/{name}").json()["statusCode"] == "404"


def test_a_policy_can_ask_for_the_operation(
    service: Caller, ada: Caller, stack: Stack, database: str
) -> None:
    name = f"read-only-{uuid.uuid4().hex[:8]}"
    with psycopg.connect(stack.url(database), autocommit=True) as connection:
        connection.execute("insert into storage.buckets (id, name) values (%s, %s)", [name, name])
        connection.execute(
            f'create policy "{name}" on storage.objects for select to authenticated'
            f" using (bucket_id = '{name}' and storage.allow_only_operation('object.get_authenticated'))"
        )
    path = f"/storage/v1/object/{name}/a.txt"
    service.request("POST", path, content=b"x", headers={"content-type": "text/plain"}).raise_for_status()
    assert ada.request("GET", path).content == b"x"
    assert ada.request("POST", f"/storage/v1/object/list/{name}", json={"prefix": ""}).json() == []
