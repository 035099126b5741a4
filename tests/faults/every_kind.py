"""All kinds of faults, in the order of the tables."""

from faults import kinds_of_disks, kinds_of_servers, kinds_of_strangers
from faults.kinds import KINDS

__all__ = ["KINDS", "kinds_of_disks", "kinds_of_servers", "kinds_of_strangers"]
