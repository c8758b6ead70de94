"""A sentence-transformers encoder that does not learn: read from a folder, and offline unless asked."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from eclare_py.errors import EclareError, ModelError
from eclare_py.features.model_folder import READ, find_model
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.types import FloatArray

if TYPE_CHECKING:
    from eclare_py.features.text_transformer import TextTransformer


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

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, d) float32 vectors of N texts."""
        ...


class SentenceEncoder:
    """A `TextTransformer` at rest, unit-norm rows.

    Nothing heavy is imported and nothing is read before the first use.

    Args:
        config: Which model, and how its tokens become a vector.
        folder: Where the model lies, instead of the one that the settings name; a tuned one, say.
        device: Where it runs, as torch names it; a GPU where there is one without it.
    """

    def __init__(
        self, config: TransformerConfig, *, folder: str | Path | None = None, device: str | None = None
    ) -> None:
        self.config, self.device = config, device
        self._given = None if folder is None else str(folder)
        self._labels = False
        self._source: SentenceEncoder | None = None  # whose network this one uses

    @classmethod
    def of(cls, network: TextTransformer) -> SentenceEncoder:
        """From a transformer in memory, as it is."""
        encoder = cls(network.config)
        encoder.network = network
        return encoder

    def for_labels(self) -> SentenceEncoder:
        """The same model for label texts: with their prompt."""
        other = copy.copy(self)
        other._labels, other._source = True, self
        vars(other).pop("fingerprint", None)
        return other

    @cached_property
    def folder(self) -> Path:
        """Where the model lies on this machine.

        Raises:
            ModelError: There is no such model here, or loading it could run code.
        """
        config = self.config
        named = config.model if self._given is None else self._given
        return find_model(named, revision=config.revision, local_files_only=config.local_files_only)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the files that are read and the settings that vectors depend on."""
        config = self.config
        settings = {
            "pooling": (config.pooling, config.last_layers if config.pooling == "last" else 0),
            "layers": (config.layers, config.halve_after),
            "max_length": config.max_length,
            "prompt": config.label_prompt if self._labels else config.document_prompt,
            "precision": config.precision,
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for path in sorted(path for pattern in READ for path in self.folder.rglob(pattern)):
            with path.open("rb") as file:
                part = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {part}\n".encode())
        return digest.hexdigest()

    @cached_property
    def network(self) -> TextTransformer:
        """The transformer, read at the first use."""
        if self._source is not None:
            return self._source.network
        import torch

        from eclare_py.features.text_transformer import TextTransformer

        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        with self._named("read"):
            return TextTransformer.load(self.config, folder=self.folder).eval().requires_grad_(False).to(device)

    @property
    def dim(self) -> int:
        """d, length of a vector."""
        return self.network.dim

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Encode texts, in the order given.

        Args:
            texts: N texts; characters that are no valid UTF-8 (lone surrogates) are replaced.

        Returns:
            (N, d) float32, rows of unit norm.

        Raises:
            ModelError: The model cannot be read, or gives NaN.
        """
        network = self.network
        with self._named("used"):
            vectors = network.encode(network.tokens(texts, labels=self._labels))
        if not np.isfinite(vectors).all():
            raise ModelError(f"{self.place()} gives vectors of NaN or infinity; restore it or train again")
        return vectors

    @contextmanager
    def _named(self, verb: str) -> Iterator[None]:
        """Whatever a damaged folder makes transformers, tokenizers and torch raise, with the folder's name."""
        try:
            yield
        except (EclareError, MemoryError):
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:300]
            raise ModelError(
                f"{self.place()} cannot be {verb} as a sentence-transformers model ({type(error).__name__}: {said}); "
                "restore it from its source"
            ) from error

    def place(self) -> str:
        """Where the model lies, for messages."""
        return str(self._given or self.config.model or "the transformer in memory")

    def save(self, folder: Path) -> None:
        """Write the model where there is no such folder yet; one that was only read from disk is copied."""
        if "network" in vars(self):
            self.network.save(folder)
        else:
            shutil.copytree(self.folder, folder)
