"""Where a sentence-transformers model lies, and whether it may be loaded.

Loading never runs code of the folder: weights must be safetensors, and the modules named in modules.json must be those
of sentence-transformers itself (the library would import others from the folder).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eclare_py.errors import ModelError

READ = ("*.json", "*.txt", "*.safetensors", "*.model")
_CODE_RUNNING = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


def find_model(model: str, *, revision: str | None = None, local_files_only: bool = True) -> Path:
    """Folder of a model, checked.

    Args:
        model: Its folder, or its name on the hub.
        revision: Commit of a hub model.
        local_files_only: Never download.

    Raises:
        ModelError: There is no such model here, or loading it could run code.
    """
    folder = Path(model)
    if not model or not folder.is_dir():
        folder = _hub_folder(model, revision, local_files_only)
    check_encoder_folder(folder)
    return folder


def load_model(folder: Path, device: str | None = None) -> Any:
    """The `SentenceTransformer` of a checked folder, in evaluation mode."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar per model file says nothing to somebody who trains a classifier
    return SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    ).eval()


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
            name, revision=revision, local_files_only=local_files_only, allow_patterns=list(READ)
        )
    except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError) as error:
        mend = "give the path of a model folder, or allow the download with local_files_only=False"
        raise ModelError(f"no encoder {name!r} on this machine: {mend}") from error
    return Path(found)
