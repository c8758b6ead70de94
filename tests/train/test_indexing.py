from types import SimpleNamespace

import numpy as np
import pytest

from eclare_py.config import load_config
from eclare_py.data.dataset import Dataset
from eclare_py.errors import UsageError
from eclare_py.graph.build import build_label_graph
from eclare_py.index import search, search_counted
from eclare_py.index.clustering import unit_rows
from eclare_py.train.indexing import scorer_of
from eclare_py.train.recipe import Recipe

N, L, D = 240, 90, 11


@pytest.mark.parametrize("combine", ["concat", "mix"])
@pytest.mark.parametrize("score", ["last", "dot", "log-sigmoid"])
def test_routers_are_of_the_documents_space_whatever_was_clustered(score, combine):
    random = np.random.default_rng(0)
    vectors = unit_rows(random.standard_normal((L, D)).astype(np.float32))
    chosen = [[row % L] for row in range(N)]
    documents = unit_rows(vectors[np.concatenate(chosen)] + 0.1 * random.standard_normal((N, D)).astype(np.float32))
    train = Dataset.from_texts(["text"] * N, chosen, [f"label {row}" for row in range(L)])
    recipe = load_config(
        Recipe, {"index": {"score": score, "combine": combine, "beam": 4, "beam_share": 1.0, "exact_below": 0}}
    )
    prepared = SimpleNamespace(train=train, graph=build_label_graph(train.labels, recipe.graph))
    scorer = scorer_of(vectors, np.zeros(L, np.float32), 20.0, documents, prepared, recipe)
    assert scorer.tree.routers.shape[1] == D and scorer.tree.n_leaves > 4 * scorer.beam
    found = search(scorer.tree, vectors, beam=scorer.beam, label_vectors=vectors, label_bias=scorer.bias, k=1)
    assert np.mean(found.indices[:, 0] == np.arange(L)) > 0.85
    with pytest.raises(UsageError, match="documents of 12"):
        search_counted(
            scorer.tree, np.ones((2, D + 1), np.float32), beam=4, label_vectors=np.ones((L, D + 1), np.float32),
            label_bias=scorer.bias, k=1,
        )  # fmt: skip
