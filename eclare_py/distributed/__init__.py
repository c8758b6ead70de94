"""One training on several processes: who they are, what they tell each other, and who holds which rows."""

from __future__ import annotations

from eclare_py.distributed.group import Group, current, use
from eclare_py.distributed.sharding import Shard

__all__ = ["Group", "Shard", "current", "use"]
