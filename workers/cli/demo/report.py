"""The demo's report: the sandbox's own gallery of posts, made self-contained, with the list of checks."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

import httpx

from workers.cli.demo.steps import Step, Steps

_STYLE = """<style>
.steps { margin-top: 3rem; max-width: 46rem; }
.steps h2 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
.steps ul { list-style: none; margin: 0; padding: 0; }
.steps li { padding-left: 1.6rem; position: relative; }
.steps li.check::before { content: "✓"; position: absolute; left: 0; color: var(--accent); font-weight: 700; }
.steps li.note { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
</style>"""


def write_report(path: Path, gallery_url: str, steps: Steps) -> None:
    """Write one HTML file that needs no network: posts with their pictures, then every step and check."""
    page = httpx.get(gallery_url).text
    page = re.sub(r'src="(/[^"]+)"', lambda match: f'src="{_embedded(gallery_url, match[1])}"', page)
    sections = "".join(_section(number, step) for number, step in enumerate(steps.steps, start=1))
    ending = f'{_STYLE}<section class="steps"><h1>What was checked</h1>{sections}</section></main>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.replace("</main>", ending, 1))


def _embedded(base_url: str, source: str) -> str:
    answer = httpx.get(base_url.rstrip("/") + html.unescape(source))
    return f"data:{answer.headers['content-type']};base64,{base64.b64encode(answer.content).decode()}"


def _section(number: int, step: Step) -> str:
    lines = "".join(f'<li class="{kind}">{html.escape(text)}</li>' for kind, text in step.lines)
    return f"<h2>{number}. {html.escape(step.title)}</h2><ul>{lines}</ul>"
