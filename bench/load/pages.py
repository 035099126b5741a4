"""A page of headings, paragraphs, tables and pictures, as Markdown and as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#222;background:#fff}table{border-collapse:collapse;font-size:14px;margin:1rem 0;"
    "display:block;overflow-x:auto}th,td{border:1px solid #ddd;padding:4px 8px;text-align:right;"
    "font-variant-numeric:tabular-nums}th{background:#f4f6f8}td:first-child,th:first-child{"
    "text-align:left}img{width:100%;margin:.5rem 0}code{background:#f4f6f8;padding:1px 4px}"
)


class Page:
    def __init__(self, title: str) -> None:
        self._title = title
        self._markdown = [f"# {title}"]
        self._html = [f"<h1>{_inline(title)}</h1>"]

    def heading(self, text: str, level: int = 2) -> None:
        self._markdown.append(f"{'#' * level} {text}")
        self._html.append(f"<h{level}>{_inline(text)}</h{level}>")

    def text(self, text: str) -> None:
        self._markdown.append(text)
        self._html.append(f"<p>{_inline(text)}</p>")

    def points(self, texts: Sequence[str]) -> None:
        self._markdown.append("\n".join(f"- {text}" for text in texts))
        self._html.append("<ul>" + "".join(f"<li>{_inline(text)}</li>" for text in texts) + "</ul>")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        self._markdown.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        made = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        self._html.append(f"<table><thead><tr>{made}</tr></thead><tbody>{body}</tbody></table>")

    def picture(self, file: str, what: str) -> None:
        self._markdown.append(f"![{what}]({file})")
        self._html.append(f'<img src="{html.escape(file)}" alt="{html.escape(what)}"/>')

    def markdown(self) -> str:
        return "\n\n".join(self._markdown) + "\n"

    def html(self) -> str:
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
            f"<title>{html.escape(self._title)}</title><style>{STYLE}</style></head>\n<body>\n"
            + "\n".join(self._html)
            + "\n</body></html>\n"
        )


def _inline(text: str) -> str:
    made = html.escape(text)
    made = re.sub(r"`([^`]+)`", r"<code>\1</code>", made)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", made)
