"""A hook of mkdocs: a link to a file of the source tree that is no page becomes the file's name.

In the tree the link works; in the site there is nothing behind it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    docs = Path(config["docs_dir"]).resolve()
    folder = (docs / page.file.src_uri).parent

    def kept_or_named(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        is_page = target.is_relative_to(docs) and target.is_file()
        # What is nowhere stays a link, for the strict build to find.
        return link[1] if target.exists() and not is_page else link[0]

    return LINK.sub(kept_or_named, markdown)
