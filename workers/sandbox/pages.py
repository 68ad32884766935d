"""The sandbox's three pages for people: consent, a problem, and the gallery of published posts. No scripts.

`fill` escapes every value that is not already `Html`, so text from posts can never become markup.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from workers.sandbox.state import Media, Person, Post
from workers.sandbox.style import CSS
from workers.sandbox.youtube_video import privacy

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; "
    "media-src 'self'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
COLORS = {
    "x": "#0f1419",
    "linkedin": "#0a66c2",
    "youtube": "#c4302b",
    "instagram": "#b5307f",
    "tiktok": "#0b7c84",
}
NAMES = {"x": "X", "linkedin": "LinkedIn", "youtube": "YouTube", "instagram": "Instagram", "tiktok": "TikTok"}


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return value if isinstance(value, Html) else html.escape(format(value, format_spec))


def fill(template: str, **values: object) -> Html:
    """`template` with every `{name}` replaced by the escaped value."""
    return Html(_Formatter().vformat(template, (), values))


def join(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{style}</style></head>
<body><main class="{width}">{body}</main></body></html>"""


def _page(title: str, body: Html, width: str = "") -> str:
    return fill(_PAGE, title=title, style=Html(CSS), body=body, width=width)


def problem(title: str, text: str) -> str:
    """A page that says what went wrong with an authorization."""
    return _page(
        title,
        fill("<h1>{t}</h1><p class='lead'>{x}</p>", t=f"{title}: something went wrong", x=text),
        "narrow",
    )


_CONSENT = """<h1>{name}</h1>
<p class="lead">Nexora asks for access to an account. This is the sandbox: pick who you are.</p>
<form method="post" action="/_sandbox/consent"><input type="hidden" name="request" value="{request}">
<fieldset><legend>Account</legend>{people}</fieldset>
<fieldset><legend>Nexora will be able to</legend>{scopes}</fieldset>
<div class="row"><button name="decision" value="deny">Deny</button>
<button class="go" name="decision" value="allow">Allow</button></div></form>"""


def consent(
    platform: str,
    name: str,
    request_id: str,
    people: Sequence[Person],
    scopes: Sequence[str],
    is_narrowable: bool,
) -> str:
    """The consent page of one authorization request."""
    faces = [
        fill(
            '<label><input type="radio" name="person" value="{key}"{checked}>{face}'
            '<span class="who"><b>{name}</b><span>@{handle}</span></span></label>',
            key=p.key,
            checked=Html(" checked") if p is people[0] else "",
            face=_face(platform, p),
            name=p.name,
            handle=p.handle,
        )
        for p in people
    ]
    box = '<label><input type="checkbox" name="scope" value="{s}" checked><code>{s}</code></label>'
    line = "<label><code>{s}</code></label>"
    rights = [fill(box if is_narrowable else line, s=scope) for scope in scopes]
    body = fill(
        _CONSENT, name=f"Sign in to {name}", request=request_id, people=join(faces), scopes=join(rights)
    )
    return _page(f"{name} sandbox", body, "narrow")


def gallery(posts: Sequence[Post], now: float) -> str:
    """All published posts, newest first, each as a reader of its platform sees it."""
    lead = "What the outside world received: every post that the sandbox platforms accepted, newest first."
    cards = join(_card(post, now) for post in posts)
    grid = (
        fill('<div class="grid">{cards}</div>', cards=cards)
        if posts
        else Html('<p class="empty">Nothing published yet.</p>')
    )
    return _page(
        "Sandbox gallery", fill("<h1>Published</h1><p class='lead'>{lead}</p>{grid}", lead=lead, grid=grid)
    )


def mails(cards: Sequence[Html]) -> str:
    """Every message that Resend took, newest first."""
    lead = "What Resend received: every message that it took, newest first. None of them left this machine."
    body = join(cards) if cards else Html('<p class="empty">No mail yet.</p>')
    return _page(
        "Sandbox mails", fill("<h1>Mails</h1><p class='lead'>{lead}</p>{body}", lead=lead, body=body)
    )


_CARD = """<article class="card"><header>{face}<div class="who"><b>{name}</b><span>{byline}</span></div>
<span class="tag" style="background:{color}">{platform}</span></header>{title}<div class="text">{text}</div>
<div class="media">{media}</div>{comments}
<footer>{privacy}<time datetime="{iso}">{day}</time>{counts}</footer></article>"""


_COMMENT = '<div class="comment"><b>{name}</b> {text}</div>'


def _card(post: Post, now: float) -> Html:
    more = details(post, now)
    moment = datetime.fromtimestamp(post.created_at, UTC)
    counts = [
        fill('<span class="count">{n:,} {what}</span>', n=n, what=_unit(name))
        for name, n in post.metrics.items()
    ]
    return fill(
        _CARD,
        face=_face(post.platform, post.person),
        name=post.person.name,
        byline=post.person.headline if post.platform == "linkedin" else f"@{post.person.handle}",
        color=COLORS[post.platform],
        platform=NAMES[post.platform],
        title=fill("<h2>{title}</h2>", title=more["title"]) if "title" in more else Html(),
        text=_linked(public_text(post)),
        media=join(_picture(m, more.get("thumbnail")) for m in post.media),
        comments=join(fill(_COMMENT, name=c.person.name, text=_linked(c.text)) for c in post.comments),
        privacy=fill("<b>{privacy}</b>", privacy=_privacy(more)) if "privacy" in more else Html(),
        iso=moment.isoformat(timespec="seconds"),
        day=moment.strftime("%-d %b %Y, %H:%M UTC"),
        counts=join(counts),
    )


def _unit(metric: str) -> str:
    """`like_count` and `IMPRESSION` as a reader says them: likes, impressions."""
    name = metric.removesuffix("Count").lower().removesuffix("_count").replace("_", " ")
    return {"reply": "replies", "members reached": "members reached"}.get(name, f"{name}s")


def public_text(post: Post) -> str:
    """The text as a reader sees it: X's API text is escaped and has t.co links, its readers see neither."""
    return post.sent_text if post.platform == "x" else post.text


_MARKED = re.compile(r"(https?://\S+|[#@]\w+)")


def _linked(text: str) -> Html:
    """Links, hashtags and mentions coloured; nothing points anywhere."""
    pieces = _MARKED.split(text)
    return join(fill("<a>{p}</a>" if i % 2 else "{p}", p=piece) for i, piece in enumerate(pieces))


_AVATAR = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96">
<rect width="96" height="96" fill="{color}"/>
<text x="48" y="61" font-size="38" font-family="system-ui,sans-serif" font-weight="600" text-anchor="middle"
 fill="#fff">{initials}</text></svg>"""
_AVATAR_COLORS = ("#2f5d50", "#7a3e2b", "#3d4f7d", "#6b4a7a", "#7a6420")


def avatar(person: Person) -> str:
    """The profile picture of a person: initials on a colour of their own."""
    color = _AVATAR_COLORS[sum(person.key.encode()) % len(_AVATAR_COLORS)]
    return fill(_AVATAR, color=color, initials=_initials(person))


def _initials(person: Person) -> str:
    return "".join(word[0] for word in person.name.split()[:2]).upper() or "?"


def _face(platform: str, person: Person) -> Html:
    return fill(
        '<span class="face" style="background:{c}" aria-hidden="true">{i}</span>',
        c=COLORS[platform],
        i=_initials(person),
    )


def _picture(media: Media, poster: str | None) -> Html:
    url = f"/_sandbox/media/{media.sha256}"
    if not media.mime_type.startswith("video/"):
        return fill('<img src="{url}" alt="{alt}">', url=url, alt=media.alt_text)
    shown = fill(' poster="/_sandbox/media/{poster}"', poster=poster) if poster else Html()
    template = '<video src="{url}" controls preload="metadata"{poster} aria-label="{alt}"></video>'
    return fill(template, url=url, poster=shown, alt=media.alt_text)


def shown_media(post: Post) -> tuple[Media, ...]:
    """The files that a page shows of a post: its own and the preview picture of its video."""
    thumbnail = post.extra.get("thumbnail")
    return (*post.media, thumbnail) if isinstance(thumbnail, Media) else post.media


def details(post: Post, now: float) -> dict[str, Any]:
    """What only some platforms have; empty for the others."""
    if post.platform != "youtube" or "title" not in post.extra:
        return {}
    extra, thumbnail = post.extra, post.extra["thumbnail"]
    return {
        "title": extra["title"],
        "privacy": privacy(post, now),
        "publish_at": extra["publish_at"],
        "tags": extra["tags"],
        "category_id": extra["category_id"],
        "made_for_kids": extra["made_for_kids"],
        "notify": extra["notify"],
        "thumbnail": thumbnail.sha256 if thumbnail else None,
    }


def _privacy(more: dict[str, Any]) -> str:
    """`private until 1 Mar 2027, 09:00 UTC`, or the bare word."""
    due = more["publish_at"]
    if more["privacy"] != "private" or due is None:
        return str(more["privacy"])
    return f"private until {datetime.fromtimestamp(due, UTC):%-d %b %Y, %H:%M} UTC"
