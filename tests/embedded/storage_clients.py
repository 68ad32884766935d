"""The two official storage clients behind one interface, so that every test runs with both."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import httpx
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError

from tests.embedded.conftest import Caller
from workers.embedded.api import find_node

_DRIVER = Path(__file__).parents[2] / "supabase" / "local" / "test" / "storage-client.mjs"


class Refused(Exception):  # noqa: N818  what a test expects, not a fault
    """The service refused; `status` is the one in the body of its answer."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status


class Bucket(Protocol):
    """What a caller can do in a bucket. URLs are absolute, times are seconds."""

    def upload(self, path: str, content: bytes, **options: Any) -> None: ...
    def update(self, path: str, content: bytes, **options: Any) -> None: ...
    def download(self, path: str) -> bytes: ...
    def entries(self, path: str = "", **options: Any) -> list[dict[str, Any]]: ...
    def remove(self, paths: list[str]) -> list[str]: ...
    def move(self, path: str, to: str) -> None: ...
    def copy(self, path: str, to: str) -> None: ...
    def info(self, path: str) -> dict[str, Any]: ...
    def exists(self, path: str) -> bool: ...
    def signed_url(self, path: str, seconds: int) -> str: ...
    def signed_urls(self, paths: list[str], seconds: int) -> list[tuple[str | None, str | None]]: ...
    def signed_upload_token(self, path: str) -> str: ...
    def upload_with_token(self, path: str, token: str, content: bytes, **options: Any) -> None: ...


class PythonBucket:
    """`storage3`, which the Python client `supabase` uses."""

    def __init__(self, http: httpx.Client, caller: Caller, bucket: str) -> None:
        # As `supabase` makes it, except that it passes an argument that `storage3` warns about.
        headers = {"apiKey": caller.key, "Authorization": f"Bearer {caller.token or caller.key}"}
        client = SyncStorageClient(f"{caller.api}/storage/v1/", headers, http_client=http)
        self._bucket = client.from_(bucket)

    def _do(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except StorageApiError as error:
            raise Refused(str(error.status), error.message) from error

    def upload(self, path: str, content: bytes, **options: Any) -> None:
        self._do(lambda: self._bucket.upload(path, content, _python_options(options)))

    def update(self, path: str, content: bytes, **options: Any) -> None:
        self._do(lambda: self._bucket.update(path, content, _python_options(options)))

    def download(self, path: str) -> bytes:
        return bytes(self._do(lambda: self._bucket.download(path)))

    def entries(self, path: str = "", **options: Any) -> list[dict[str, Any]]:
        return list(self._do(lambda: self._bucket.list(path, cast(Any, options))))

    def remove(self, paths: list[str]) -> list[str]:
        return [row["name"] for row in self._do(lambda: self._bucket.remove(paths))]

    def move(self, path: str, to: str) -> None:
        self._do(lambda: self._bucket.move(path, to))

    def copy(self, path: str, to: str) -> None:
        self._do(lambda: self._bucket.copy(path, to))

    def info(self, path: str) -> dict[str, Any]:
        answer = self._do(lambda: self._bucket.info(path))
        return {"size": answer["size"], "type": answer["content_type"], "metadata": answer["metadata"]}

    def exists(self, path: str) -> bool:
        return bool(self._do(lambda: self._bucket.exists(path)))

    def signed_url(self, path: str, seconds: int) -> str:
        return str(self._do(lambda: self._bucket.create_signed_url(path, seconds))["signedUrl"])

    def signed_urls(self, paths: list[str], seconds: int) -> list[tuple[str | None, str | None]]:
        rows = self._do(lambda: self._bucket.create_signed_urls(paths, seconds))
        return [(row["signedUrl"], row["error"]) for row in rows]

    def signed_upload_token(self, path: str) -> str:
        return str(self._do(lambda: self._bucket.create_signed_upload_url(path))["token"])

    def upload_with_token(self, path: str, token: str, content: bytes, **options: Any) -> None:
        self._do(lambda: self._bucket.upload_to_signed_url(path, token, content, _python_options(options)))


def _python_options(options: dict[str, Any]) -> Any:
    names = {"type": "content-type", "upsert": "x-upsert", "metadata": "metadata"}
    return {names[name]: "true" if value is True else value for name, value in options.items()}


class JavaScriptDriver:
    """A Node process that speaks `storage-js` for us."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [find_node(), _DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"]["statusCode"], answer["error"]["message"])
        return answer["data"]

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


class JavaScriptBucket:
    """`storage-js`, as the JavaScript client `supabase-js` brings it."""

    def __init__(self, driver: JavaScriptDriver, caller: Caller, bucket: str) -> None:
        self._driver = driver
        self._caller = {"url": caller.api, "key": caller.key, "token": caller.token or None, "bucket": bucket}
        self._api = caller.api

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._driver.call({**self._caller, "method": method, "args": arguments})

    def upload(self, path: str, content: bytes, **options: Any) -> None:
        self._call("upload", path, _blob(content, options), _js_options(options))

    def update(self, path: str, content: bytes, **options: Any) -> None:
        self._call("update", path, _blob(content, options), _js_options(options))

    def download(self, path: str) -> bytes:
        return base64.b64decode(self._call("download", path)["$bytes"])

    def entries(self, path: str = "", **options: Any) -> list[dict[str, Any]]:
        return list(self._call("list", path, options))

    def remove(self, paths: list[str]) -> list[str]:
        return [row["name"] for row in self._call("remove", paths)]

    def move(self, path: str, to: str) -> None:
        self._call("move", path, to)

    def copy(self, path: str, to: str) -> None:
        self._call("copy", path, to)

    def info(self, path: str) -> dict[str, Any]:
        answer = self._call("info", path)
        return {"size": answer["size"], "type": answer["contentType"], "metadata": answer["metadata"]}

    def exists(self, path: str) -> bool:
        try:
            return bool(self._call("exists", path))
        except Refused as refusal:  # storage-js gives the error of the HEAD request beside `false`
            if refusal.status in ("400", "404"):
                return False
            raise

    def signed_url(self, path: str, seconds: int) -> str:
        return str(self._call("createSignedUrl", path, seconds)["signedUrl"])

    def signed_urls(self, paths: list[str], seconds: int) -> list[tuple[str | None, str | None]]:
        rows = self._call("createSignedUrls", paths, seconds)
        return [(row["signedUrl"], row["error"]) for row in rows]

    def signed_upload_token(self, path: str) -> str:
        return str(self._call("createSignedUploadUrl", path)["token"])

    def upload_with_token(self, path: str, token: str, content: bytes, **options: Any) -> None:
        self._call("uploadToSignedUrl", path, token, _blob(content, options), _js_options(options))


def _blob(content: bytes, options: dict[str, Any]) -> dict[str, str]:
    return {"$bytes": base64.b64encode(content).decode(), "type": options.get("type", "text/plain")}


def _js_options(options: dict[str, Any]) -> dict[str, Any]:
    names = {"type": "contentType", "upsert": "upsert", "metadata": "metadata"}
    return {names[name]: value for name, value in options.items()}
