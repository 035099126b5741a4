"""Prints a hash over the page's sources: a name or a byte that changes, changes it."""

import hashlib
import os
import sys
from pathlib import Path

MADE_FOLDERS = {"node_modules", ".next", "out", "docs-assets", "coverage", "test-results"}
MADE_FILES = {"next-env.d.ts", ".DS_Store"}


def main(top: Path) -> None:
    total = hashlib.sha256()
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(set(folders) - MADE_FOLDERS)
        for name in sorted(set(files) - MADE_FILES):
            path = Path(folder, name)
            if path.suffix == ".tsbuildinfo":
                continue
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(top)}\0{content}\n".encode())
    print(total.hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
