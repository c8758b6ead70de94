"""A frozen sentence-transformers encoder: read from a folder, and offline unless asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from eclare_py.features.model_folder import READ, find_model, load_model
from eclare_py.types import FloatArray


@runtime_checkable
class TextEncoder(Protocol):
    """Anything that turns texts into vectors.

    Attributes:
        dim: d, length of a vector.
        fingerprint: Changes whenever the vectors would.
    """

    @property
    def dim(self) -> int: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def encode(self, texts: list[str]) -> FloatArray:
        """(N, d) float32 vectors of N texts."""
        ...


class SentenceEncoder:
    """A frozen sentence-transformers model (Reimers, Gurevych, EMNLP 2019), unit-norm rows.

    Nothing heavy is imported and nothing is read before the first use.

    Args:
        model: Folder of a model, or its name on the hub.
        batch_size: Texts per forward pass.
        max_length: Tokens kept of a text; the model's own limit where not given.
        device: Where it runs, as torch names it; chosen by the library where not given.
        local_files_only: Never download. A name is then looked for in the local hub cache only.
        revision: Commit of a hub model.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        batch_size: int = 64,
        max_length: int | None = None,
        device: str | None = None,
        local_files_only: bool = True,
        revision: str | None = None,
    ) -> None:
        self.model = str(model)
        self.batch_size = batch_size
        self.max_length = max_length
        self.device = device
        self.local_files_only = local_files_only
        self.revision = revision

    @cached_property
    def folder(self) -> Path:
        """Where the model lies on this machine.

        Raises:
            ModelError: There is no such model here, or loading it could run code.
        """
        return find_model(self.model, revision=self.revision, local_files_only=self.local_files_only)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the files that are read and the token limit."""
        digest = hashlib.sha256(f"max_length={self.max_length}\n".encode())
        for path in sorted(path for pattern in READ for path in self.folder.rglob(pattern)):
            with path.open("rb") as file:
                part = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {part}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _network(self) -> Any:
        network = load_model(self.folder, self.device)
        if self.max_length is not None:
            network.max_seq_length = self.max_length
        return network

    @cached_property
    def dim(self) -> int:
        """d, length of a vector."""
        return int(self._network.encode(["x"], show_progress_bar=False).shape[1])

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Encode texts, in the order given.

        Args:
            texts: N texts; characters that are no valid UTF-8 (lone surrogates) are replaced.

        Returns:
            (N, d) float32, rows of unit norm.
        """
        if not len(texts):
            return np.zeros((0, self.dim), dtype=np.float32)
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        vectors = self._network.encode(
            clean,
            batch_size=self.batch_size,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)
