"""The good folders: tiny models of several methods, and a small data set in both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eclare_py import EclareClassifier, load_dataset
from eclare_py.data.registry import build
from eclare_py.data.xc import write_sparse

_TREE = {"linear.max_leaf": 8, "linear.beam": 3}
_FUSION = {
    "document.dim": 16, "graph.walk_length": 50, "index.exact_below": 50, "index.beam": 6, "index.beam_share": 1.0,
    "rank.steps": 40, "rank.fusion_batch": 512, "rank.hidden": 8, "rank.shortlist": 30, "rank.linear_candidates": 12,
    "rank.graph_candidates": 10, "rank.seeds": 5, "training.surrogate_epochs": 2, "training.ranker_epochs": 2,
    "training.batch_size": 64, "training.mined": 12, "training.hard_negatives": 3, **_TREE,
}  # fmt: skip
_GATED = {
    "document.dim": 16, "elias.max_leaf": 12, "elias.beam": 3, "elias.extra_clusters": 2, "elias.slots": 20,
    "elias.shortlist": 40, "elias.batch_size": 64, "elias.warm_epochs": 1, "elias.fixed_epochs": 1,
    "elias.learned_epochs": 1, "elias.ranker_depth": 20,
}  # fmt: skip
# Recipe and settings by kind; together they have every part that a model folder can hold.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("default", _FUSION),
    "voting": ("default", _FUSION | {"rank.neighbours": 8, "rank.neighbour_probe": 4}),
    "xr_linear": ("xr_linear", _TREE | {"linear.trees": 2}),
    "elias": ("elias", _GATED | {"elias.ranker": True}),
    "x_transformer": ("x_transformer", _TREE | {
        "transformer.max_length": 8, "transformer.layers": 1, "resolutions.branching": 2, "resolutions.min_clusters": 4,
        "resolutions.epochs": 1, "resolutions.last_epochs": 1, "resolutions.batch_size": 64,
    }),
}  # fmt: skip
TRANSFORMER = "transformer.model"


def data_folder(folder: Path) -> Path:
    """A small synthetic data set with filter pairs and edges."""
    build("synthetic", folder, {"labels": "90", "documents": "420", "seed": "3"})
    for name in ("train", "test"):
        (folder / f"filter_labels_{name}.txt").write_text("0 3\n2 5\n7 0\n")
    (folder / "label_edges.txt").write_text("0 1 broader\n2 3 related\n4 1 broader\n")
    return folder


def sparse_folder(data: Path, folder: Path) -> Path:
    """The same data set in the sparse text format."""
    source = load_dataset(data)
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "Y.txt").write_text("\n".join(source.train.label_texts) + "\n", encoding="utf-8")
    for name, split in (("trn", source.train), ("tst", source.test)):
        if split is not None:
            write_sparse(folder / f"{name}_X_Y.txt", split.labels)
            (folder / "raw" / f"{name}_X.txt").write_text("\n".join(split.texts) + "\n", encoding="utf-8")
    for name in ("filter_labels_train.txt", "filter_labels_test.txt"):
        if (data / name).exists():
            (folder / name).write_bytes((data / name).read_bytes())
    return folder


def small_transformer(folder: Path) -> Path:
    """A transformer of random weights with a tokenizer of single characters, as sentence-transformers reads it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "aeinorst")]
    tokenizer = Tokenizer(models.WordPiece({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return folder


def model_folder(kind: str, data: Path, folder: Path) -> Path:
    """A tiny trained model of a kind."""
    recipe, settings = KINDS[kind]
    if kind == "x_transformer":
        settings = settings | {TRANSFORMER: str(small_transformer(folder.with_name("small-transformer")))}
    train = load_dataset(data).train
    EclareClassifier(recipe, overrides=settings, device="cpu").fit(train).save(folder)
    return folder
