"""A tiny data set with label texts, filter pairs, documents without labels and a label without documents."""

import numpy as np
import pytest
import torch

from eclare_py.config import load_config
from eclare_py.data.dataset import Dataset
from eclare_py.train.recipe import Recipe


def make_dataset(n_documents=70, n_labels=12, *, with_pairs=True):
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(20)]
    label_texts = [f"label{i} {words[i]} {words[(i * 3) % 20]}" for i in range(n_labels)]
    chosen = [sorted(set(rng.integers(0, n_labels - 1, 1 + i % 3).tolist())) for i in range(n_documents)]
    chosen[5] = []
    texts = [" ".join(words[label] for label in row) + f" {rng.choice(words)}" for row in chosen]
    texts[6] = "nothing known here"
    dataset = Dataset.from_texts(texts, chosen, label_texts)
    if not with_pairs:
        return dataset
    pairs = sorted({(row, int(rng.integers(0, n_labels))) for row in range(0, n_documents, 4)})
    return Dataset(
        dataset.texts, dataset.labels, dataset.label_texts, filter_pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2)
    )


def make_recipe(**training):
    settings = {
        "surrogate_epochs": 2,
        "ranker_epochs": 2,
        "batch_size": 16,
        "mined": 5,
        "hard_negatives": 2,
        "table_rate": 0.2,
    }
    return load_config(
        Recipe,
        {
            "document": {"dim": 8},
            "features": {"word_ngrams": 1},
            "graph": {"walk_length": 50},
            "rank": {"steps": 100, "fusion_batch": 64, "hidden": 8, "fusion_rate": 0.03},
            "training": {**settings, **training},
        },
    )


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Threads cost more than they give on data this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def dataset():
    return make_dataset()


@pytest.fixture
def recipe_of():
    return make_recipe


@pytest.fixture
def dataset_of():
    return make_dataset
