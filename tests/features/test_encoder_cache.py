"""The embedding cache: hits, damage, kills and memory, with an encoder of a few lines."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.features.cache import CachedEncoder
from eclare_py.features.transformer import TextEncoder

ROOT = Path(__file__).resolve().parents[2]

# Also the source of the child processes below.
TOY = '''
import hashlib
import numpy as np

class Toy:
    """Vectors are digests, so that each is a function of its text alone."""

    def __init__(self, fingerprint="f" * 40, dim=8):
        self.fingerprint, self.dim, self.seen = fingerprint, dim, []

    def encode(self, texts):
        self.seen += texts
        digests = [hashlib.sha256(t.encode("utf-8", "surrogatepass")).digest()[: self.dim] for t in texts]
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, self.dim).astype(np.float32)
'''
namespace: dict = {}
exec(TOY, namespace)
Toy = namespace["Toy"]
TEXTS = [f"text {i}" for i in range(23)] + ["", "\ud800", "text 3", "日本"]


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.rglob("chunk-*.safetensors"))


def test_vectors_are_the_encoders_and_each_text_is_encoded_once(tmp_path) -> None:
    toy = Toy()
    cached = CachedEncoder(toy, tmp_path, chunk=5)
    assert isinstance(cached, TextEncoder)
    assert np.array_equal(cached.encode(TEXTS), Toy().encode(TEXTS))
    assert sorted(toy.seen) == sorted(set(TEXTS))
    assert toy.seen[:5] == TEXTS[:5]
    assert np.array_equal(cached.encode(TEXTS[::-1]), Toy().encode(TEXTS[::-1]))
    assert len(toy.seen) == len(set(TEXTS))


def test_another_process_finds_everything_in_any_order_and_chunk_size(tmp_path) -> None:
    CachedEncoder(Toy(), tmp_path, chunk=5).encode(TEXTS)
    toy = Toy()
    shuffled = [TEXTS[i] for i in np.random.default_rng(0).permutation(len(TEXTS))]
    assert np.array_equal(CachedEncoder(toy, tmp_path, chunk=7).encode([*shuffled, "new"])[:-1], Toy().encode(shuffled))
    assert toy.seen == ["new"]


def test_another_encoder_does_not_share_vectors(tmp_path) -> None:
    CachedEncoder(Toy("a" * 40), tmp_path).encode(["x"])
    other = Toy("b" * 40)
    CachedEncoder(other, tmp_path).encode(["x"])
    assert other.seen == ["x"]


@pytest.mark.parametrize("place", [4, 60, -1])
def test_a_damaged_chunk_is_encoded_again(tmp_path, place: int) -> None:
    """A flipped bit in the header, and in the vectors, which safetensors itself does not notice."""
    CachedEncoder(Toy(), tmp_path, chunk=9).encode(TEXTS)
    victim = chunks(tmp_path)[1]
    data = bytearray(victim.read_bytes())
    data[place] ^= 0x40
    victim.write_bytes(data)
    toy = Toy()
    assert np.array_equal(CachedEncoder(toy, tmp_path, chunk=9).encode(TEXTS), Toy().encode(TEXTS))
    assert 0 < len(toy.seen) <= 9
    again = Toy()
    CachedEncoder(again, tmp_path, chunk=9).encode(TEXTS)
    assert again.seen == []


def test_a_cut_or_removed_chunk_is_encoded_again(tmp_path) -> None:
    cached = CachedEncoder(Toy(), tmp_path, chunk=9)
    cached.encode(TEXTS)
    first, second = chunks(tmp_path)[:2]
    first.write_bytes(first.read_bytes()[:-3])
    second.unlink()
    assert np.array_equal(cached.encode(TEXTS), Toy().encode(TEXTS))


def test_no_texts_have_no_vectors(tmp_path) -> None:
    assert CachedEncoder(Toy(), tmp_path).encode([]).shape == (0, 8)


def test_an_encoder_that_misbehaves_is_stopped_and_nothing_is_kept(tmp_path) -> None:
    toy = Toy()
    toy.encode = lambda texts: np.full((len(texts), 8), np.nan, dtype=np.float32)
    with pytest.raises(ModelError, match="NaN"):
        CachedEncoder(toy, tmp_path).encode(["x"])
    assert chunks(tmp_path) == []


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", TOY + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_killed_run_goes_on_where_it_stopped(tmp_path) -> None:
    code = """
import os, signal, sys
from eclare_py.features.cache import CachedEncoder
class Dying(Toy):
    def encode(self, texts):
        if len(self.seen) >= 12:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(texts)
CachedEncoder(Dying(), sys.argv[1], chunk=4).encode([f"text {i}" for i in range(20)])
"""
    assert run(code, str(tmp_path)).returncode == -signal.SIGKILL
    toy, texts = Toy(), [f"text {i}" for i in range(20)]
    assert np.array_equal(CachedEncoder(toy, tmp_path, chunk=4).encode(texts), Toy().encode(texts))
    assert toy.seen == texts[12:]


def test_memory_stays_flat_while_ten_times_more_texts_are_encoded(tmp_path) -> None:
    """Ten times more is 40 MB more of vectors; the peak may grow by the index of the keys, some 2 MB."""
    code = """
import resource, sys
from eclare_py.features.cache import CachedEncoder
class Wide(Toy):
    def encode(self, texts):
        return np.repeat(super().encode(texts), 32, axis=1)
class Texts:
    def __init__(self, count): self.count = count
    def __len__(self): return self.count
    def __getitem__(self, part): return [f"text {i}" for i in range(*part.indices(self.count))]
wide = Wide(dim=8); cached = CachedEncoder(wide, sys.argv[1] + "/cache", chunk=512)
class Fixed:
    fingerprint, dim = "e" * 40, 256
    def encode(self, texts): return wide.encode(texts)
cached = CachedEncoder(Fixed(), sys.argv[1] + "/cache", chunk=512)
for _ in cached.blocks(Texts(4_000)): pass
few = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wide.seen.clear()
for _ in cached.blocks(Texts(40_000)): pass
sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - few}")
"""
    done = run(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 15_000  # kB


def test_the_toy_is_what_it_says() -> None:
    assert Toy().encode(["a"])[0, 0] == hashlib.sha256(b"a").digest()[0]
