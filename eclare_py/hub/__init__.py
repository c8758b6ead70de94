"""Models on the Hugging Face Hub: push, pull, and the card that goes with them.

A model folder is what lies on the Hub, file for file, with `config.json` (by which the Hub counts downloads) and the
card `README.md` beside it. Nothing in it can run code: only files that its manifest lists are fetched, and these are
safetensors, JSON and the word lists of tokenizers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelHubMixin, hf_hub_download, snapshot_download

from eclare_py import __version__
from eclare_py.errors import UsageError
from eclare_py.estimator import EclareClassifier
from eclare_py.hub.card import CARD, model_card
from eclare_py.persist import save_pipeline
from eclare_py.rank.models import method_of
from eclare_py.storage import MANIFEST, read_manifest, render_json

CONFIG = "config.json"


class HubClassifier(EclareClassifier, ModelHubMixin):
    """An `EclareClassifier` that goes to the Hub and comes from it.

    HubClassifier.load("models/tickets").push_to_hub("you/tickets", model_card_kwargs={"license": "cc-by-4.0"})
    HubClassifier.from_pretrained("you/tickets", revision="3f1c...")

    `push_to_hub` is that of huggingface_hub's `ModelHubMixin`. Nothing but it and `from_pretrained` uses the network.
    """

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        trust_repo: bool = False,
        **settings: Any,
    ) -> HubClassifier:
        """Load a model from a folder, or fetch it from the Hub first.

        Args:
            pretrained_model_name_or_path: A folder, or a repository such as "you/tickets".
            revision: Commit of the repository; a branch or a tag may become something else at any time.
            trust_repo: Take what the repository holds now, without naming a revision.
            settings: `token`, `cache_dir`, `force_download`, `local_files_only` as huggingface_hub knows them, and
                `tail_boost` as `load` does.

        Raises:
            UsageError: A repository without a revision and without `trust_repo`.
            ModelError: What is there is no model, or is damaged.
        """
        if not Path(pretrained_model_name_or_path).is_dir() and revision is None and not trust_repo:
            raise UsageError(
                f"{pretrained_model_name_or_path} is no folder here. To fetch it from the Hub name the revision=COMMIT "
                "that you looked at, or trust_repo=True for whatever it holds now"
            )
        return super().from_pretrained(pretrained_model_name_or_path, revision=revision, **settings)

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, revision: str | None, tail_boost: float | None = None, **settings: Any
    ) -> HubClassifier:
        """What `from_pretrained` of the mixin calls."""
        folder = model_id if Path(model_id).is_dir() else _fetch(model_id, revision, settings)
        return cls.load(folder, tail_boost=tail_boost)

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        config: Any = None,
        **push_settings: Any,
    ) -> str | None:
        """Write the model folder with `config.json` and a card, all or nothing. A card that is there already stays.

        Deviation from the mixin, which writes into the folder file by file.

        Args:
            save_directory: The folder.
            repo_id: Repository to push to; the folder's name without it.
            push_to_hub: Push it too.
            model_card_kwargs: As of `generate_model_card`.
            config: Not used; the settings of a model are its recipe.
            push_settings: As of `push_to_hub`.

        Returns:
            Address of the commit, where it was pushed.
        """
        folder = Path(save_directory)
        card = folder / CARD
        text = card.read_text(encoding="utf-8") if card.is_file() else str(self.generate_model_card(
            **(model_card_kwargs or {})
        ))  # fmt: skip
        settings = {"library_name": "eclare_py", "version": __version__, "method": method_of(self.pipeline)}
        save_pipeline(self.pipeline, folder, beside={CARD: text, CONFIG: render_json(settings, indent=1)})
        if not push_to_hub:
            return None
        return str(self.push_to_hub(repo_id or folder.name, model_card_kwargs=model_card_kwargs, **push_settings))

    def generate_model_card(self, **facts: Any) -> ModelCard:
        """The card of the model; arguments as of `hub.card.model_card`."""
        return model_card(self.pipeline, **facts)


def _fetch(repo: str, revision: str | None, settings: dict[str, Any]) -> str:
    """Fetch the manifest of a repository and then what it lists; returns the local folder."""
    known = {name: settings[name] for name in ("token", "cache_dir", "force_download", "local_files_only")}
    manifest = hf_hub_download(repo, MANIFEST, revision=revision, **known)
    listed = read_manifest(Path(manifest).parent, "model")["files"]
    # The commit of the manifest: a branch may move between two calls.
    commit = Path(manifest).parent.name if revision is None else revision
    return str(snapshot_download(repo, revision=commit, allow_patterns=[MANIFEST, *listed], **known))
