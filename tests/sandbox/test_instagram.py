"""Instagram: containers, their states, publishing, limits; and each refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client, png
from tests.support.files import FileServer, serving_files
from tests.support.media import jpeg, mp4
from tests.support.waiting import wait_until
from workers.sandbox import SandboxControl

EVERYTHING = (
    "instagram_business_basic,instagram_business_content_publish,instagram_business_manage_comments,"
    "instagram_business_manage_insights"
)
DAY = 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with serving_files() as served:
        yield served


class Account:
    """Somebody's account, called with a token of theirs."""

    def __init__(
        self, client: Client, server: FileServer, person: str = "maya", scope: str = EVERYTHING
    ) -> None:
        self.client, self.server = client, server
        self.id = client.account("instagram", person)
        short = client.tokens("instagram", _sandbox_person=person, scope=scope)["access_token"]
        secret = client.sandbox.secret
        query = {"grant_type": "ig_exchange_token", "client_secret": secret, "access_token": short}
        self.token = client.http.get("/instagram/access_token", params=query).json()["access_token"]

    def get(self, path: str, **query: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return self.client.http.get(f"/instagram/{path}", params=query, headers=headers)

    def post(self, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return self.client.http.post(f"/instagram/{path}", json=body, headers=headers)

    def create(self, **body: Any) -> httpx.Response:
        return self.post(f"{self.id}/media", **body)

    def image(self, **body: Any) -> str:
        """A container with a picture that Instagram takes."""
        response = self.create(image_url=self.server.add("a.jpg", jpeg()), **body)
        assert response.status_code == 200, response.text
        return str(response.json()["id"])

    def status(self, container: str) -> str:
        response = self.get(container, fields="status_code")
        assert response.status_code == 200, response.text
        return str(response.json()["status_code"])

    def video(self, data: bytes, kind: str = "REELS", **body: Any) -> str:
        """A container with a video; waits until it is judged."""
        url = self.server.add("a.mp4", data)
        container = str(self.create(video_url=url, media_type=kind, **body).json()["id"])
        wait_until(lambda: self.status(container) != "IN_PROGRESS")
        return container

    def publish(self, container: str) -> httpx.Response:
        return self.post(f"{self.id}/media_publish", creation_id=container)


@pytest.fixture
def maya(client: Client, control: SandboxControl, server: FileServer) -> Account:
    control.set_media_delay(0)
    server.clear()
    return Account(client, server)


def refusal(response: httpx.Response) -> tuple[int, int, int]:
    """Status, code and subcode."""
    error = response.json()["error"]
    assert {"message", "type", "fbtrace_id"} <= set(error)
    return response.status_code, error["code"], error.get("error_subcode", 0)


def test_a_picture_is_published(maya: Account, control: SandboxControl) -> None:
    container = maya.image(caption="First light #dawn", alt_text="a lake")
    assert maya.status(container) == "FINISHED"
    response = maya.publish(container)
    assert response.status_code == 200
    (post,) = control.posts("instagram")
    assert (post.id, post.text, post.url) == (response.json()["id"], "First light #dawn", post.url)
    assert [(m.alt_text, m.mime_type) for m in post.media] == [("a lake", "image/jpeg")]
    assert maya.status(container) == "PUBLISHED"
    shown = maya.get(post.id, fields="permalink,media_type,media_product_type,caption").json()
    assert shown == {
        "id": post.id, "permalink": post.url, "media_type": "IMAGE", "media_product_type": "FEED",
        "caption": "First light #dawn",
    }  # fmt: skip


def test_a_carousel_is_one_post(maya: Account, control: SandboxControl) -> None:
    items = [maya.image(is_carousel_item=True, alt_text=f"picture {n}") for n in range(2)]
    items.append(maya.video(mp4(), "VIDEO", is_carousel_item=True))
    response = maya.create(media_type="CAROUSEL", children=",".join(items), caption="Three")
    assert maya.publish(response.json()["id"]).status_code == 200
    (post,) = control.posts("instagram")
    assert [m.mime_type for m in post.media] == ["image/jpeg", "image/jpeg", "video/mp4"]


def test_a_reel_and_a_story(maya: Account, control: SandboxControl) -> None:
    reel = maya.video(mp4(), caption="Bread", share_to_feed=True, thumb_offset=2000, collaborators=["jonas"])
    assert maya.publish(reel).status_code == 200
    assert control.posts("instagram")[0].url.startswith("https://www.instagram.com/reel/")
    story = maya.video(mp4(30), "STORIES")
    assert maya.publish(story).status_code == 200
    picture = maya.create(media_type="STORIES", image_url=maya.server.add("s.jpg", jpeg(1080, 1920)))
    assert maya.publish(picture.json()["id"]).status_code == 200
    assert len(maya.get(f"{maya.id}/media").json()["data"]) == 1  # stories are not listed


def test_a_container_works_first_then_expires(maya: Account, control: SandboxControl) -> None:
    control.set_media_delay(60)
    container = maya.image()
    assert maya.status(container) == "IN_PROGRESS"
    assert refusal(maya.publish(container)) == (400, 9007, 2207027)
    control.advance_clock(61)
    assert maya.status(container) == "FINISHED"
    control.advance_clock(DAY)
    assert maya.status(container) == "EXPIRED"
    assert refusal(maya.publish(container)) == (400, 24, 2207008)


def test_a_container_is_published_once(maya: Account, control: SandboxControl) -> None:
    container = maya.image()
    assert maya.publish(container).status_code == 200
    assert refusal(maya.publish(container)) == (400, 24, 2207008)
    control.advance_clock(2 * DAY)
    assert maya.status(container) == "PUBLISHED"
    assert len(control.posts("instagram")) == 1


def test_a_failed_container_says_why(maya: Account, control: SandboxControl) -> None:
    control.change_settings("instagram", "maya", fail_next="2207001")
    container = maya.image()
    answer = maya.get(container, fields="status_code,status").json()
    assert answer["status_code"] == "ERROR"
    assert "2207001" in answer["status"]
    assert refusal(maya.publish(container)) == (400, -1, 2207032)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(64, 64), (400, 36001, 2207005)),
        (jpeg(is_multi_picture=True), (400, 36001, 2207005)),
        (jpeg(size=8 * 1_048_576 + 1), (400, 36000, 2207004)),
        (jpeg(799, 1000), (400, 36003, 2207009)),
        (jpeg(1911, 1000), (400, 36003, 2207009)),
        (b"nothing", (400, 36001, 2207005)),
    ],
)
def test_pictures_that_are_refused(maya: Account, data: bytes, expected: tuple[int, int, int]) -> None:
    assert refusal(maya.create(image_url=maya.server.add("x.jpg", data))) == expected


@pytest.mark.parametrize(("width", "height"), [(800, 1000), (1910, 1000), (1080, 1080)])
def test_pictures_at_the_edge_are_taken(maya: Account, width: int, height: int) -> None:
    url = maya.server.add("x.jpg", jpeg(width, height, 8 * 1_048_576))
    assert maya.create(image_url=url).status_code == 200


def test_a_picture_that_cannot_be_fetched(maya: Account) -> None:
    here = maya.server.add("real.jpg", jpeg())
    moved = maya.server.redirect("moved.jpg", here)
    for url in (f"{maya.server.base}/missing.jpg", moved, "http://127.0.0.1:9/x.jpg", "no url"):
        assert refusal(maya.create(image_url=url)) == (400, 9004, 2207052)


@pytest.mark.parametrize(
    ("data", "kind", "failure"),
    [
        (b"nothing", "REELS", "2207026"),
        (jpeg(), "REELS", "2207026"),
        (mp4(2.9), "REELS", "2207026"),
        (mp4(901), "REELS", "2207026"),
        (mp4(61), "STORIES", "2207026"),
        (mp4(fps=20), "REELS", "2207026"),
        (mp4(width=2000), "REELS", "2207026"),
    ],
)
def test_videos_that_fail(maya: Account, data: bytes, kind: str, failure: str) -> None:
    container = maya.video(data, kind)
    answer = maya.get(container, fields="status_code,status").json()
    assert (answer["status_code"], failure in answer["status"]) == ("ERROR", True)


def test_a_video_that_cannot_be_fetched(maya: Account) -> None:
    url = f"{maya.server.base}/missing.mp4"
    container = maya.create(video_url=url, media_type="REELS").json()["id"]
    wait_until(lambda: maya.status(container) == "ERROR")
    assert "2207052" in maya.get(container, fields="status").json()["status"]


def test_a_thumbnail_outside_the_video(maya: Account) -> None:
    container = maya.video(mp4(10), thumb_offset=10_000)
    assert "2207057" in maya.get(container, fields="status").json()["status"]
    url = maya.server.add("b.mp4", mp4())
    answer = maya.create(video_url=url, media_type="REELS", thumb_offset=-1)
    assert refusal(answer) == (400, 1, 2207057)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, 100, 0)),
        ({"media_type": "IMAGE", "image_url": "URL"}, (400, 100, 2207023)),
        ({"media_type": "ALBUM"}, (400, 100, 2207023)),
        ({"media_type": "VIDEO", "video_url": "URL"}, (400, 100, 2207067)),
        ({"media_type": "REELS", "image_url": "URL"}, (400, 100, 0)),
        ({"image_url": "URL", "video_url": "URL"}, (400, 100, 0)),
        ({"image_url": "URL", "colour": "red"}, (400, 100, 0)),
        ({"image_url": "URL", "caption": "x" * 2201}, (400, 36004, 2207010)),
        ({"image_url": "URL", "caption": "#a " * 31}, (400, 36004, 2207010)),
        ({"image_url": "URL", "caption": "@a " * 21}, (400, 100, 2207040)),
        ({"image_url": "URL", "alt_text": "x" * 1001}, (400, 100, 0)),
        ({"image_url": "URL", "collaborators": ["a", "b", "c", "d"]}, (400, 100, 0)),
        ({"image_url": "URL", "collaborators": {"a": 1}}, (400, 100, 0)),
        ({"image_url": "URL", "share_to_feed": True}, (400, 100, 0)),
        ({"image_url": "URL", "is_carousel_item": "perhaps"}, (400, 100, 0)),
        ({"image_url": "URL", "is_carousel_item": True, "caption": "x"}, (400, 100, 0)),
        ({"media_type": "STORIES", "image_url": "URL", "caption": "x"}, (400, 100, 0)),
        ({"media_type": "STORIES", "image_url": "URL", "alt_text": "x"}, (400, 100, 0)),
        ({"media_type": "REELS", "video_url": "URL", "thumb_offset": "soon"}, (400, 100, 0)),
        ({"media_type": "REELS", "video_url": "URL", "upload_type": "resumable"}, (400, 100, 0)),
        ({"media_type": "REELS", "video_url": "URL", "is_carousel_item": True}, (400, 100, 0)),
        ({"media_type": "CAROUSEL", "children": "1"}, (400, 100, 2207028)),
        ({"media_type": "CAROUSEL", "children": "1,2"}, (400, 24, 2207006)),
    ],
)
def test_containers_that_are_refused(
    maya: Account, body: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    url = maya.server.add("a.jpg", jpeg())
    filled = {name: url if value == "URL" else value for name, value in body.items()}
    assert refusal(maya.create(**filled)) == expected


def test_the_limit_of_hashtags_can_be_moved(maya: Account, control: SandboxControl) -> None:
    control.set_limits(**{"instagram hashtags": 5})
    url = maya.server.add("a.jpg", jpeg())
    assert refusal(maya.create(image_url=url, caption="#a #b #c #d #e #f")) == (400, 36004, 2207010)
    assert maya.create(image_url=url, caption="#a #b #c #d #e").status_code == 200


def test_items_of_a_carousel_must_be_ready(maya: Account, control: SandboxControl) -> None:
    single = maya.image()
    items = [maya.image(is_carousel_item=True) for _ in range(2)]
    children = {"media_type": "CAROUSEL", "children": [items[0], single]}
    assert refusal(maya.create(**children)) == (400, 24, 2207006)
    assert refusal(maya.publish(items[0])) == (400, 100, 0)
    control.set_media_delay(60)
    late = maya.image(is_carousel_item=True)
    assert refusal(maya.create(media_type="CAROUSEL", children=[items[0], late])) == (400, 9007, 2207027)
    control.advance_clock(DAY + 1)
    assert refusal(maya.create(media_type="CAROUSEL", children=items)) == (400, -2, 2207020)


def test_an_unknown_container(maya: Account) -> None:
    assert refusal(maya.publish("17800000000000000")) == (400, 24, 2207008)
    assert refusal(maya.post(f"{maya.id}/media_publish")) == (400, 100, 0)
    assert refusal(maya.get("17800000000000000", fields="status_code")) == (400, 100, 33)


def test_containers_and_media_belong_to_their_account(
    maya: Account, client: Client, server: FileServer
) -> None:
    container = maya.image()
    media = maya.publish(container).json()["id"]
    jonas = Account(client, server, "jonas")
    assert refusal(jonas.get(container, fields="status_code")) == (400, 100, 33)
    assert refusal(jonas.get(media, fields="permalink")) == (400, 100, 33)
    assert refusal(jonas.post(f"{maya.id}/media", image_url="http://x")) == (400, 100, 33)
    assert refusal(jonas.publish(maya.image())) == (400, 24, 2207008)


def test_the_daily_cap(maya: Account, control: SandboxControl) -> None:
    control.set_limits(**{"instagram posts": 1})
    assert maya.publish(maya.image()).status_code == 200
    limit = maya.get(f"{maya.id}/content_publishing_limit", fields="quota_usage,config").json()
    assert limit == {"data": [{"quota_usage": 1, "config": {"quota_total": 1, "quota_duration": DAY}}]}
    container = maya.image()
    assert refusal(maya.publish(container)) == (400, 9, 2207042)
    assert maya.status(container) == "FINISHED"
    control.advance_clock(DAY + 1)
    assert maya.publish(maya.image()).status_code == 200


def test_the_cap_of_containers(maya: Account, control: SandboxControl) -> None:
    control.set_limits(**{"instagram containers": 1})
    maya.image()
    assert refusal(maya.create(image_url=maya.server.add("a.jpg", jpeg()))) == (400, 9, 0)


def test_an_account_that_is_restricted(maya: Account, control: SandboxControl) -> None:
    control.change_settings("instagram", "maya", restricted=True)
    assert refusal(maya.publish(maya.image())) == (400, 25, 2207050)


def test_too_many_calls(maya: Account, control: SandboxControl) -> None:
    control.set_limits(**{"instagram calls": 1})
    assert maya.get("me").status_code == 200
    response = maya.get("me")
    assert refusal(response) == (400, 80002, 0)
    assert "estimated_time_to_regain_access" in response.headers["x-business-use-case-usage"]


def test_tokens_and_permissions(
    maya: Account, client: Client, control: SandboxControl, server: FileServer
) -> None:
    narrow = Account(client, server, "jonas", "instagram_business_basic")
    assert refusal(narrow.create(image_url="http://x")) == (403, 10, 0)
    assert refusal(narrow.get(f"{narrow.id}/content_publishing_limit")) == (403, 10, 0)
    bare = client.http.get(f"/instagram/{maya.id}/media")
    assert refusal(bare) == (400, 190, 0)
    control.revoke("instagram", "maya")
    assert refusal(maya.get("me")) == (400, 190, 458)


def test_an_expired_token(maya: Account, control: SandboxControl) -> None:
    control.advance_clock(60 * DAY + 1)
    assert refusal(maya.get("me")) == (400, 190, 463)


def test_a_version_that_is_gone(maya: Account) -> None:
    assert refusal(maya.get("v12.0/me")) == (400, 2635, 0)
    assert maya.get("v25.0/me").status_code == 200
    assert maya.get(f"v25.0/{maya.id}/media").status_code == 200


def test_forms_and_queries_serve_as_well(maya: Account) -> None:
    url = maya.server.add("a.jpg", jpeg())
    headers = {"authorization": f"Bearer {maya.token}"}
    path = f"/instagram/{maya.id}/media"
    as_form = maya.client.http.post(path, data={"image_url": url, "caption": "x"}, headers=headers)
    as_query = maya.client.http.post(path, params={"image_url": url, "access_token": maya.token})
    assert (as_form.status_code, as_query.status_code) == (200, 200)
    broken = maya.client.http.post(
        path, content=b"{", headers={**headers, "content-type": "application/json"}
    )
    assert refusal(broken) == (400, 100, 0)


def test_the_list_of_media(maya: Account, control: SandboxControl) -> None:
    ids = []
    for number in range(3):
        ids.append(maya.publish(maya.image(caption=f"number {number} by @somebody")).json()["id"])
        control.advance_clock(10)
    page = maya.get(f"{maya.id}/media", fields="caption,timestamp", limit=2).json()
    assert [item["id"] for item in page["data"]] == [ids[2], ids[1]]
    assert page["data"][0]["caption"] == "number 2 by somebody"  # "the @ symbol is excluded"
    rest = maya.get(f"{maya.id}/media", after=page["paging"]["cursors"]["after"]).json()
    assert [item["id"] for item in rest["data"]] == [ids[0]]
    since = control.posts("instagram")[0].created_at
    recent = maya.get(f"{maya.id}/media", since=int(since)).json()
    assert [item["id"] for item in recent["data"]] == [ids[2]]
    assert refusal(maya.get(f"{maya.id}/media", fields="secret")) == (400, 100, 0)
    assert refusal(maya.get(f"{maya.id}/media", after="1")) == (400, 100, 0)


def test_comments(maya: Account, client: Client, server: FileServer) -> None:
    media = maya.publish(maya.image()).json()["id"]
    comment = maya.post(f"{media}/comments", message="First! #bread")
    assert comment.status_code == 200
    found = maya.get(f"{media}/comments", fields="text,username").json()["data"]
    assert found == [{"id": comment.json()["id"], "text": "First! #bread", "username": "mayaokafor"}]
    assert refusal(maya.post(f"{media}/comments")) == (400, 100, 0)
    assert refusal(maya.post("17900000000000000/comments", message="x")) == (400, 100, 33)
    scope = "instagram_business_basic,instagram_business_content_publish"
    narrow = Account(client, server, "maya", scope)
    assert refusal(narrow.post(f"{media}/comments", message="x")) == (403, 10, 0)


def test_insights(maya: Account, control: SandboxControl) -> None:
    media = maya.publish(maya.image()).json()["id"]
    control.set_metrics("instagram", media, {"views": 7, "reach": 5})
    data = maya.get(f"{media}/insights", metric="views,saved").json()["data"]
    assert [(d["name"], d["values"]) for d in data] == [("views", [{"value": 7}]), ("saved", [{"value": 0}])]
    assert refusal(maya.get(f"{media}/insights", metric="impressions")) == (400, 100, 0)
    assert refusal(maya.get(f"{media}/insights", metric="ig_reels_avg_watch_time")) == (400, 100, 0)
    assert refusal(maya.get("17900000000000000/insights", metric="views")) == (400, 100, 33)


def test_a_limit_read_since(maya: Account, control: SandboxControl) -> None:
    maya.publish(maya.image())
    published = control.posts("instagram")[0].created_at
    control.advance_clock(100)
    later = maya.get(f"{maya.id}/content_publishing_limit", since=int(published) + 50).json()
    assert later == {"data": [{"quota_usage": 0}]}
    answer = maya.get(f"{maya.id}/content_publishing_limit", since=1)
    assert refusal(answer) == (400, 100, 0)
