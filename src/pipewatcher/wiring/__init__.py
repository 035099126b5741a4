"""Builds, starts and stops everything. Read `stages`, then `doors`; the rest is what they need."""

from pipewatcher.wiring.doors import run, serve, serve_local
from pipewatcher.wiring.engines import EMBEDDED, check_roles, engine
from pipewatcher.wiring.sockets import Opened
from pipewatcher.wiring.stages import Historian, historian

__all__ = [
    "EMBEDDED",
    "Historian",
    "Opened",
    "check_roles",
    "engine",
    "historian",
    "run",
    "serve",
    "serve_local",
]
