"""What compiled kernels may do to floating-point sums."""

from __future__ import annotations

# Re-association and fused multiply-add are what vectorises a sum; infinities keep their meaning. Not all of "fast"
# mathematics: with reciprocals allowed, a kernel that was just compiled and the same kernel from numba's cache have
# given different last bits, and two trainings with one seed must give one model. numba's cache does not notice a change
# of these flags: delete the __pycache__ folders with it.
SUM_FLAGS = {"reassoc", "contract", "nsz"}
