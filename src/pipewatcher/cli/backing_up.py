"""`pipewatcher backup` and `restore`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pipewatcher import backup
from pipewatcher.cli.local import checked, local_api
from pipewatcher.settings import Settings

MIB = 2**20


def back_up(settings: Settings, folder: Path) -> None:
    asyncio.run(_back_up(settings, folder.absolute()))


async def _back_up(settings: Settings, folder: Path) -> None:
    async with local_api(settings) as api:
        answer = await api.post("/api/v1/backups", json={"folder": str(folder)}, timeout=None)
        made = checked(answer).json()
    sys.stdout.write(
        f"{made['folder']}: {made['files']} files, {made['bytes'] / MIB:.1f} MiB "
        f"in {made['seconds']:.1f} s\n"
    )


def restore(settings: Settings, folder: Path) -> None:
    manifest = backup.restore(folder, settings.data_dir.absolute())
    size = sum(file.bytes for file in manifest.files)
    sys.stdout.write(
        f"{settings.data_dir}: {len(manifest.files)} files, {size / MIB:.1f} MiB, all as "
        f"PipeWatcher {manifest.version} wrote them\n"
    )
