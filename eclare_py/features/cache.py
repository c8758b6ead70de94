"""Vectors of texts kept on disk, in chunks: encoding goes on where it stopped, and memory stays flat.

A cache is a folder of safetensors files, each with the `keys` (n, 32) uint8 and `vectors` (n, d) float32 of the texts
of one step. A key is the SHA-256 of the encoder's fingerprint and the text: a changed encoder or text is a miss, never
a wrong answer. A chunk appears all at once (written aside, then renamed), a damaged one is encoded again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from eclare_py.errors import ModelError
from eclare_py.features.transformer import TextEncoder
from eclare_py.storage import atomic_file
from eclare_py.storage.spool import empty
from eclare_py.types import FloatArray

_KEY = np.dtype("S32")  # compared as 32 bytes: all keys have one length, so numpy's padding rule does not matter


class CachedEncoder:
    """A `TextEncoder` that remembers what it encoded.

    Args:
        encoder: Does the work where a text is new.
        folder: The cache; made where missing, may be shared by several encoders and processes.
        chunk: Texts per step, and so per file.
    """

    def __init__(self, encoder: TextEncoder, folder: str | Path, *, chunk: int = 2048) -> None:
        self.encoder = encoder
        self.chunk = chunk
        self.folder = Path(folder) / encoder.fingerprint[:32]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._paths: list[Path] = []
        self._verified: set[int] = set()
        self._parts: list[_Part] = []
        found = {path: _read_keys(path) for path in sorted(self.folder.glob("chunk-*.safetensors"))}
        known = {path: keys for path, keys in found.items() if keys is not None}
        self._add(list(known), list(known.values()))

    @property
    def dim(self) -> int:
        """d, length of a vector."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """That of the encoder underneath."""
        return self.encoder.fingerprint

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts.

        Args:
            texts: N texts.

        Returns:
            (N, d) float32.
        """
        vectors: FloatArray = empty((len(texts), self.dim), np.float32)
        for start, block in self.blocks(texts):
            vectors[start : start + len(block)] = block
        return vectors

    def blocks(self, texts: Sequence[str]) -> Iterator[tuple[int, FloatArray]]:
        """Encode step by step; what one step encoded is on disk before the next begins.

        Yields:
            First row and (n, d) vectors of each `chunk` of texts.
        """
        for start in range(0, len(texts), self.chunk):
            yield start, self._block(texts[start : start + self.chunk])

    def _block(self, texts: Sequence[str]) -> FloatArray:
        keys, back = np.unique(self._keys_of(texts), return_inverse=True)
        vectors = np.empty((len(keys), self.dim), dtype=np.float32)
        missing = self._read(keys, vectors)
        if len(missing):
            first = np.zeros(len(keys), dtype=np.int64)
            first[back[::-1]] = np.arange(len(texts))[::-1]
            # In the order of the texts rather than of the keys: neighbours on disk are neighbours in the next run.
            missing = missing[np.argsort(first[missing])]
            fresh = np.asarray(self.encoder.encode([texts[i] for i in first[missing].tolist()]), dtype=np.float32)
            if fresh.shape != (len(missing), self.dim) or not np.isfinite(fresh).all():
                raise ModelError(f"the encoder gave {fresh.shape} vectors for {len(missing)} texts, or NaN or infinity")
            vectors[missing] = fresh
            self._write(keys[missing], fresh)
        return vectors[back]

    def _keys_of(self, texts: Sequence[str]) -> npt.NDArray[Any]:
        salt = self.fingerprint.encode() + b"\n"
        digests = [hashlib.sha256(salt + text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        return np.frombuffer(b"".join(digests), dtype=_KEY)

    def _read(self, keys: npt.NDArray[Any], vectors: FloatArray) -> npt.NDArray[np.int64]:
        """Fill in what is on disk; positions of the keys that are not."""
        missing = np.arange(len(keys))
        for part in list(self._parts):
            places = np.searchsorted(part.keys, keys[missing])
            inside = places < len(part.keys)
            inside[inside] = part.keys[places[inside]] == keys[missing[inside]]
            found, places, missing = missing[inside], places[inside], missing[~inside]
            for chunk in np.unique(part.chunks[places]).tolist():
                here = part.chunks[places] == chunk
                stored = self._stored(chunk)
                if stored is None:
                    missing = np.concatenate([missing, found[here]])
                else:
                    vectors[found[here]] = stored[part.rows[places[here]]]
        return missing

    def _stored(self, chunk: int) -> npt.NDArray[np.float32] | None:
        """Vectors of a chunk, mapped; None where it is damaged or gone: it is then forgotten, and encoded again."""
        try:
            stored, checksum = _map_vectors(self._paths[chunk], self.dim)
            if chunk in self._verified or _checksum(stored) == checksum:
                self._verified.add(chunk)
                return stored
        except (OSError, ValueError, KeyError, TypeError):
            pass  # the file is as good as absent: a cache can always be filled again
        self._parts = [part.without(chunk) for part in self._parts]
        return None

    def _write(self, keys: npt.NDArray[Any], vectors: FloatArray) -> None:
        raw = np.frombuffer(keys.tobytes(), dtype=np.uint8).reshape(len(keys), 32)
        path = self.folder / f"chunk-{_checksum(raw)[:24]}.safetensors"
        checksum = _checksum(vectors)
        with atomic_file(path, "wb") as file:
            file.write(save({"keys": raw, "vectors": np.ascontiguousarray(vectors)}, metadata={"sha256": checksum}))
        self._add([path], [keys])
        while len(self._parts) > 1 and len(self._parts[-2].keys) <= 2 * len(self._parts[-1].keys):
            self._parts[-2:] = [_sorted_part(self._parts[-2:])]

    def _add(self, paths: list[Path], keys: list[npt.NDArray[Any]]) -> None:
        """Make the keys of new files known; the parts grow geometrically, so that adding stays cheap."""
        fresh = [
            _Part(part, np.full(len(part), number, np.int32), np.arange(len(part), dtype=np.int32))
            for number, part in enumerate(keys, start=len(self._paths))
        ]
        self._paths += paths
        if fresh:
            self._parts.append(_sorted_part(fresh))


class _Part(NamedTuple):
    """A sorted piece of the index: key -> chunk and row."""

    keys: npt.NDArray[Any]
    chunks: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]

    def without(self, chunk: int) -> _Part:
        kept = self.chunks != chunk
        return _Part(self.keys[kept], self.chunks[kept], self.rows[kept])


def _sorted_part(parts: list[_Part]) -> _Part:
    keys, chunks, rows = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return _Part(keys[order], chunks[order], rows[order])


def _checksum(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _read_keys(path: Path) -> npt.NDArray[Any] | None:
    """Keys of a chunk, or None where the file is no chunk."""
    try:
        with safe_open(path, framework="numpy") as file:
            raw = file.get_tensor("keys")
    except (SafetensorError, OSError):
        return None
    if raw.dtype != np.uint8 or raw.ndim != 2 or raw.shape[1] != _KEY.itemsize:
        return None
    return np.frombuffer(raw.tobytes(), dtype=_KEY)


def _map_vectors(path: Path, dim: int) -> tuple[npt.NDArray[np.float32], str]:
    """Vectors of a chunk mapped from its file, and their checksum; only the rows used are read."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError("header is longer than the file")
        header = json.loads(file.read(size))
    rows, columns = header["vectors"]["shape"]
    if header["vectors"]["dtype"] != "F32" or columns != dim or rows < 1 or rows != header["keys"]["shape"][0]:
        raise ValueError("not the vectors of this encoder")
    begin = 8 + size + header["vectors"]["data_offsets"][0]
    mapped = np.memmap(path, dtype="<f4", mode="r", offset=begin, shape=(rows, columns))
    return mapped, header["__metadata__"]["sha256"]
