"""Makes docs/diagrams/*.svg of the Mermaid texts beside them (`make diagrams`): nothing is drawn in
the reader's browser, and nothing is fetched by it.

Mermaid comes from npm, once, into .build; Chromium draws. The tables of the three SQL files are
read out of the files that the source makes. A picture tells the hash of its text, for tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipewatcher.commit_log.sqlite import SQLiteCommitLog
from pipewatcher.readings.duckdb_sql.schema import TABLES
from pipewatcher.registry.sqlite import SQLiteRegistry

TOP = Path(__file__).parents[2]
FOLDER = TOP / "docs/diagrams"
PACKAGE = "mermaid@11.17.2"
SETTINGS = """{startOnLoad: false, theme: "neutral", htmlLabels: false, securityLevel: "strict",
 flowchart: {htmlLabels: false, useMaxWidth: true}, fontFamily: "system-ui, sans-serif"}"""
DRAW = """async ([id, text]) => {
  const holder = document.createElement("div");
  holder.innerHTML = (await mermaid.render(id, text)).svg;
  const svg = holder.firstElementChild;
  // Opaque, so that it is read on a dark page too.
  svg.style.background = "#fff";
  const [, , width, height] = svg.getAttribute("viewBox").split(" ");
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  return new XMLSerializer().serializeToString(svg);
}"""
RELATIONS = {
    "store": [
        'sensor ||--o{ hot : ""', 'sensor ||--o{ raw : ""', 'sensor ||--o{ rollup : ""',
        'sensor ||--o{ day_rollup : ""', 'sensor ||--o| latest : ""', 'sensor ||--o| cadence : ""',
        'sensor ||--o{ gap : ""', 'sensor ||--o{ mended : ""', 'raw ||--o{ version : ""',
        'origin ||--o{ raw : ""', 'origin ||--o{ hot : ""', 'rolled_day ||--o{ day_rollup : ""',
    ],
    "store-imports": [
        'import_progress ||--o| import_outcome : ""', 'import_progress ||--o| import_undone : ""',
    ],
    "commit-log": [],
    "registry": [
        'person ||--o{ session : ""', 'person ||--o{ invitation : ""',
        'sensor ||--o{ gap_mark : ""', 'sensor ||--o| silence : ""',
        'sensor ||--o{ notification : ""', 'import ||--o{ notification : ""',
        'person ||--o| notification_read : ""',
    ],
}  # fmt: skip
"""Lines between the tables of a file, by picture."""
APART = {"import_progress", "import_outcome", "import_undone", "books", "position", "retention"}
"""Tables of the store that know no sensor: a picture of their own."""


def tables_of(name: str, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Table -> its columns, name and type, of a file that is made as a start makes it."""
    if name.startswith("store"):
        connection = duckdb.connect()
        connection.execute(TABLES)
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "ORDER BY table_name, ordinal_position"
        ).fetchall()
    else:
        file = folder / f"{name}.sqlite"
        opened = SQLiteCommitLog(file) if name == "commit-log" else SQLiteRegistry(file)

        async def make() -> None:
            await opened.open()
            await opened.close()

        asyncio.run(make())
        rows = (
            sqlite3.connect(file)
            .execute(
                "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c "
                "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
            )
            .fetchall()
        )
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        found.setdefault(table, []).append((kind, column))
    return found


def schema(name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        tables = tables_of(name, Path(folder))
    lines = ["erDiagram", "    direction LR", *(f"    {relation}" for relation in RELATIONS[name])]
    for table, columns in tables.items():
        if name.startswith("store") and (table in APART) != (name == "store-imports"):
            continue
        lines.append(f"    {table} {{")
        lines += [f"        {kind} {column}" for kind, column in columns]
        lines.append("    }")
    return "\n".join(lines) + "\n"


def stamp(text: str) -> str:
    return f"<!-- {hashlib.sha256(text.encode()).hexdigest()} -->"


def library() -> Path:
    folder = TOP / ".build/mermaid"
    file = folder / "package/dist/mermaid.min.js"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
        [packed] = folder.glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        packed.unlink()
    return file


def drawn(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    from playwright.sync_api import sync_playwright

    known = os.environ.get("PIPEWATCHER_TEST_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=known)
        page = browser.new_page()
        page.add_script_tag(path=library())
        page.evaluate(f"mermaid.initialize({SETTINGS})")
        for name, text in texts.items():
            svg: str = page.evaluate(DRAW, [f"d-{name}", text])
            svg = re.sub(r"(\.\d)\d+", r"\1", svg)
            yield name, f"{svg}\n{stamp(text)}\n"
        browser.close()


def main() -> None:
    for name in RELATIONS:
        (FOLDER / f"{name}.mmd").write_text(schema(name), "utf-8")
    texts = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.mmd"))}
    made = {name for name, text in texts.items() if _is_made(name, text)}
    for name, svg in drawn({name: text for name, text in texts.items() if name not in made}):
        (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
        sys.stdout.write(f"{name}.svg\n")


def _is_made(name: str, text: str) -> bool:
    picture = FOLDER / f"{name}.svg"
    return picture.exists() and stamp(text) in picture.read_text("utf-8")


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(schema(sys.argv[-1]))
    else:
        main()
