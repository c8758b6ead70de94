"""Single hostile files that once did harm, each with what must come of it now."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.problems import MOST_ERRORS
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, ModelError
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.persist import load_pipeline
from eclare_py.rank.pipeline import frozen_transformer
from eclare_py.rank.sound import sound, sound_codes
from eclare_py.storage import State, read_state, verify_manifest, write_state
from eclare_py.storage.manifest import MAX_BYTES
from eclare_py.types import Ranking
from tests.integration.command import eclare, error_of
from tests.small_transformer import save_small_transformer
from tests.test_persist import copy_of, reseal, with_arrays


@pytest.mark.parametrize("name", ["trn.json.gz", "card.json", "label_edges.txt", "filter_labels_test.txt"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_in_a_data_folder_are_not_waited_for(
    name: str, kind: str, tiny: Any, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "data"))
    (data / name).unlink(missing_ok=True)
    os.mkfifo(data / name) if kind == "pipe" else (data / name).symlink_to("/dev/zero")
    with pytest.raises(DataError, match=rf"{name}: cannot be read \(.*not a regular file"):
        load_dataset(data)


def test_the_validator_stops_where_nobody_reads_on(tiny: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(tiny.data, tmp_path / "data"))
    (data / "lbl.json.gz").write_bytes(gzip.compress(b"\n" * (3 * MOST_ERRORS)))
    *errors, last = validate_folder(data)
    assert len(errors) == MOST_ERRORS and {one.severity for one in errors} == {"error"}
    assert last.severity == "warning" and "10,000 errors are enough" in last.message


def test_scores_that_are_no_numbers_are_refused(tiny: Any, tmp_path: Path) -> None:
    huge = with_arrays("first", bias1=lambda a: a * 0 + 3e38, weight2=lambda a: a * 1e30)
    loaded = load_pipeline(reseal(copy_of(tiny, tmp_path), huge))
    with np.errstate(all="ignore"), pytest.raises(ModelError, match=r"is NaN: values in some \.safetensors"):
        loaded.rank(tiny.folder.test.texts[:3], 5)
    good = Ranking(np.array([[1, -1]]), np.array([[0.5, -np.inf]], dtype=np.float32))
    assert sound(good) is good
    with pytest.raises(ModelError, match="row 0 holds NaN or infinity"):
        sound_codes(np.array([[np.inf, 1]], dtype=np.float32))


def test_a_link_to_itself_and_a_manifest_without_end(tiny: Any, tmp_path: Path) -> None:
    model = copy_of(tiny, tmp_path)
    (model / "facts.json").unlink()
    (model / "facts.json").symlink_to("facts.json")
    with pytest.raises(ModelError, match=r"facts\.json cannot be read"):
        load_pipeline(model)
    with open(model / "manifest.json", "r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelError, match=rf"manifest\.json has {MAX_BYTES + 1} bytes"):
        verify_manifest(model)


def test_types_without_end_in_a_header(tiny: Any, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    write_state(tmp_path, "part", State({"a": np.ones(3)}))
    save_file({"a": np.ones(3)}, tmp_path / "part.safetensors", metadata={"types": "[" * 100_000})
    with pytest.raises(ModelError, match=r"part\.safetensors is damaged"):
        read_state(tmp_path, "part")


def test_a_model_may_not_allow_itself_to_download(tiny: Any) -> None:
    recipe = json.loads((tiny.model / "recipe.json").read_text())
    recipe["transformer"] |= {"model": "nobody/nothing", "local_files_only": False}
    encoder = frozen_transformer(recipe, {"transformer": []})
    with pytest.raises(ModelError, match="no encoder 'nobody/nothing' on this machine"):
        encoder.encode(["a text"])  # and no attempt was made: the suite would have seen it


@pytest.mark.parametrize(
    ("name", "content", "verb"),
    [("config.json", b"{", "read"), ("model.safetensors", b"\xff" * 50, "read"), ("tokenizer.json", b"[]", "read"),
     ("config.json", None, "read")],
)  # fmt: skip
def test_a_damaged_transformer_is_named(name: str, content: bytes | None, verb: str, tmp_path: Path) -> None:
    folder = save_small_transformer(tmp_path / "bert")
    if content is None:
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(settings | {"num_attention_heads": 0}))
    else:
        (folder / name).write_bytes(content)
    encoder = SentenceEncoder(TransformerConfig(), folder=folder, device="cpu")
    with pytest.raises(ModelError, match=rf"{folder} cannot be {verb} as a sentence-transformers model"):
        encoder.encode(["a text"])


def test_on_the_command_line_it_is_one_line_and_exit_1(tiny: Any, tmp_path: Path) -> None:
    model = reseal(copy_of(tiny, tmp_path), with_arrays("graph", adjacency__indices=lambda a: a + 900))
    (tmp_path / "texts.txt").write_text("some text\n")
    said = error_of(eclare("predict", model, "--input", tmp_path / "texts.txt", code=1))
    assert f"{model}/graph." in said and "outside" in said
