"""A frozen sentence-transformers encoder: read from a folder, and offline unless asked.

Loading an encoder never runs code of the folder: weights must be safetensors, and the modules named in modules.json
must be those of sentence-transformers itself (the library would import others from the folder).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.types import FloatArray

_READ = ("*.json", "*.txt", "*.safetensors", "*.model")
_CODE_RUNNING = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


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
        folder = Path(self.model)
        if not folder.is_dir():
            folder = _hub_folder(self.model, self.revision, self.local_files_only)
        check_encoder_folder(folder)
        return folder

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the files that are read and the token limit."""
        digest = hashlib.sha256(f"max_length={self.max_length}\n".encode())
        for path in sorted(path for pattern in _READ for path in self.folder.rglob(pattern)):
            with path.open("rb") as file:
                part = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()} {part}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _network(self) -> Any:
        from sentence_transformers import SentenceTransformer

        network = SentenceTransformer(
            str(self.folder),
            device=self.device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        if self.max_length is not None:
            network.max_seq_length = self.max_length
        return network.eval()

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


def check_encoder_folder(folder: Path) -> None:
    """Refuse a model folder that could run code when loaded.

    Raises:
        ModelError: Names the file at fault.
    """
    if not any(folder.rglob("*.safetensors")):
        raise ModelError(f"{folder} holds no .safetensors weights; convert the model to safetensors first")
    for path in sorted(folder.rglob("*")):
        if path.suffix in _CODE_RUNNING and not any(path.parent.glob("*.safetensors")):
            raise ModelError(f"{path} could run code when loaded; convert it to safetensors")
    listed = folder / "modules.json"
    if not listed.is_file():
        return
    try:
        types = [module["type"] for module in json.loads(listed.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{listed} is damaged: {error!r}; fetch the model again") from error
    strangers = [kind for kind in types if not str(kind).startswith("sentence_transformers.")]
    if strangers:
        raise ModelError(f"{listed} names {strangers[0]!r}, which is code from outside sentence-transformers")


def _hub_folder(name: str, revision: str | None, local_files_only: bool) -> Path:
    """Folder of a hub model in the local cache, downloaded first only if that was asked for."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            name, revision=revision, local_files_only=local_files_only, allow_patterns=list(_READ)
        )
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError) as error:
        mend = "give the path of a model folder, or allow the download with local_files_only=False"
        raise ModelError(f"no encoder {name!r} on this machine: {mend}") from error
    return Path(found)
