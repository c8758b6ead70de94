"""Gradient caching, halved sequences and low-rank changes, on a small random transformer."""

import sys

import numpy as np
import pytest
import torch

from eclare_py.errors import ModelError
from eclare_py.features.halving import halved, halved_mask
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.transformer_config import TransformerConfig
from tests.small_transformer import save_small_transformer

TEXTS = ["edit audio tags", "change the tags of many audio files", "compile a kernel", "", "a b c d e f g h i", "x y"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_small_transformer(tmp_path_factory.mktemp("small") / "bert")


@pytest.fixture
def load(folder):
    return lambda **settings: TextTransformer.load(TransformerConfig(model=str(folder), **settings))


def loss_of(vectors):
    """A loss that ties every text to every other."""
    torch.manual_seed(7)  # what a loss draws must not disturb the chunks
    weights = torch.randn(vectors.shape)
    return (vectors @ vectors.T).exp().sum() + (vectors * weights).sum()


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_chunks_have_the_gradients_of_one_graph_with_dropout(load, size, half):
    model = load(chunk=size).train()
    tokens = model.tokens(TEXTS)
    torch.manual_seed(3)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        chunked = model(tokens)
    after = torch.get_rng_state()
    loss_of(chunked).backward()
    ours = gradients(model)
    torch.manual_seed(3)
    rows = list(tokens.by_length(size))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half, cache_enabled=False):
        whole = torch.cat([model.embed(tokens[part]) for part in rows])[np.argsort(np.concatenate(rows))]
    assert torch.equal(torch.get_rng_state(), after)
    loss_of(whole).backward()
    theirs = gradients(model)
    torch.testing.assert_close(chunked, whole)
    assert ours.keys() == theirs.keys() and len(ours) > 10
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-4, msg=name)


def test_without_dropout_chunks_and_checkpointing_have_the_gradients_of_one_pass(load):
    found = []
    for settings in ({}, {"batch_size": 2}, {"chunk": 2}, {"checkpointing": True}, {"chunk": 4, "checkpointing": True}):
        model = load(**settings)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model.train()
        vectors = model(model.tokens(TEXTS))
        loss_of(vectors).backward()
        found.append({"vectors": vectors.detach(), **gradients(model)})
    for other in found[1:]:
        for name, value in found[0].items():
            torch.testing.assert_close(other[name], value, atol=1e-5, rtol=1e-4, msg=name)


def test_backward_leaves_the_random_state_alone(load):
    model = load(chunk=2).train()
    loss = loss_of(model(model.tokens(TEXTS)))
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    loss.backward()
    assert torch.equal(torch.rand(3), expected)


def test_pairs_by_hand():
    states = torch.tensor([[1.0, 2, 4, 6, 0], [1, 3, 5, 7, 9], [8, 0, 0, 0, 0]])[..., None]
    own = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    np.testing.assert_allclose(halved(states, own)[..., 0], [[1, 3, 6], [1, 4, 8], [8, 0, 0]])
    np.testing.assert_array_equal(halved_mask(own), [[1, 1, 1], [1, 1, 1], [1, 0, 0]])
    np.testing.assert_allclose(halved(states[:2, :4], own[:2, :4])[..., 0], [[1, 3, 6], [1, 4, 7]])  # 7 has no partner


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_halved_stack_equals_its_layers_one_by_one(load, attention, pooling):
    """Against the layers called by hand, text by text, so without any mask; `last` looks at states of both lengths."""
    settings = {"pooling": pooling, "last_layers": 3}
    plain, short = load(**settings), load(**settings, halve_after=2)
    short.backbone.set_attn_implementation(attention)
    found = short.encode(short.tokens(TEXTS))
    for row in range(len(TEXTS)):
        ids = torch.from_numpy(plain.tokens(TEXTS)[row : row + 1].ids.astype(np.int64))[None]
        with torch.no_grad():
            states = [plain.backbone.embeddings(ids)]
            for number, layer in enumerate(plain.backbone.encoder.layer):
                if number == 2:
                    states[-1] = halved(states[-1], torch.ones(states[-1].shape[:2], dtype=torch.bool))
                states.append(layer(states[-1], None))
        vector = {
            "mean": states[-1][0].mean(0),
            "cls": states[-1][0, 0],
            "last": torch.cat([state[0, 0] for state in states[-3:]]),
        }[pooling]
        np.testing.assert_allclose(found[row], torch.nn.functional.normalize(vector, dim=0), atol=1e-5)


def test_a_text_too_short_to_be_halved_is_what_it_was_and_others_are_not(load):
    plain, short = load(), load(halve_after=1)
    np.testing.assert_allclose(short.encode(short.tokens([""])), plain.encode(plain.tokens([""])), atol=1e-6)
    assert np.abs(short.encode(short.tokens(TEXTS[:1])) - plain.encode(plain.tokens(TEXTS[:1]))).max() > 1e-3


def test_a_halved_stack_learns_with_checkpointing_too(load):
    found = []
    for settings in ({}, {"checkpointing": True}):
        model = load(halve_after=1, **settings)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model.train()
        loss_of(torch.cat([model(model.tokens(TEXTS[:4])), model(model.tokens(TEXTS[4:]))])).backward()
        found.append(gradients(model))
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("kind", ["distilbert", "electra"])
def test_other_stacks_of_its_kind_are_halved(tmp_path, kind):
    model = TextTransformer.load(TransformerConfig(model=str(save_small_transformer(tmp_path, kind)), halve_after=1))
    one_by_one = np.concatenate([model.encode(model.tokens([text])) for text in TEXTS])
    np.testing.assert_allclose(model.encode(model.tokens(TEXTS)), one_by_one, atol=1e-5)


def test_stacks_that_cannot_be_halved_are_refused(load, tmp_path):
    with pytest.raises(ModelError, match="halve_after=3 of a model of 3 layers"):
        load(halve_after=3)
    model = TextTransformer.load(TransformerConfig(model=str(save_small_transformer(tmp_path, "mpnet")), halve_after=1))
    with pytest.raises(ModelError, match="halve_after does not know MPNetLayer: it is given positions"):
        model.encode(model.tokens(TEXTS))


def test_no_layers_pool_the_embeddings(load):
    model = load(layers=0)
    ids = torch.from_numpy(model.tokens(TEXTS[:1]).ids.astype(np.int64))[None]
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.backbone.embeddings(ids)[0].mean(0), dim=0)
    np.testing.assert_allclose(model.encode(model.tokens(TEXTS[:1]))[0], expected, atol=1e-6)


def test_low_rank_changes_alone_learn_and_are_merged(load, folder, tmp_path):
    model, plain = load(tuning="lora", lora_rank=2), load()
    tokens = model.tokens(TEXTS)
    np.testing.assert_allclose(model.encode(tokens), plain.encode(tokens), atol=1e-6)  # they start at zero
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(learning) == 2 * 6 * 3 and all("lora_" in name for name in learning)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    for _ in range(2):
        loss_of(model(tokens)).backward()
        optimizer.step()
    tuned = model.encode(tokens)
    assert np.abs(tuned - plain.encode(tokens)).max() > 1e-2
    done = model.finished()
    assert not [name for name, _ in done.named_parameters() if "lora_" in name]
    np.testing.assert_allclose(done.encode(tokens), tuned, atol=1e-5)
    model.save(tmp_path / "saved")
    assert any("lora_" in name for name, _ in model.named_parameters())  # saving changes nothing in memory
    config = TransformerConfig(model=str(folder), tuning="lora")
    again = TextTransformer.load(config, folder=tmp_path / "saved")
    np.testing.assert_allclose(again.encode(tokens), tuned, atol=1e-5)


def test_low_rank_changes_need_peft_and_layers(load, monkeypatch):
    with pytest.raises(ModelError, match="there are none: tune `full`"):
        load(tuning="lora", layers=0)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError, match=r"needs peft: pip install 'eclare_py\[lora\]'"):
        load(tuning="lora")


def test_half_precision_moves_vectors_a_little(load):
    exact, half = load(), load(precision="bfloat16")
    vectors = half.encode(half.tokens(TEXTS))
    expected = exact.encode(exact.tokens(TEXTS))
    assert vectors.dtype == np.float32 and 0 < np.abs(vectors - expected).max() < 0.05
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
