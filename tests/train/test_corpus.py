import dataclasses

import numpy as np

from eclare_py.features.tokens import Tokens
from eclare_py.train import fit
from eclare_py.train.batches import BatchSource
from eclare_py.train.corpus import corpus_of
from eclare_py.train.fit import train
from eclare_py.train.prepare import prepare


def test_label_texts_are_documents_of_their_own_label(dataset, recipe_of):
    texts = [*dataset.label_texts]
    texts[3] = "unheard"  # one occurrence: below features.min_df, and so a text without a known word
    prepared = prepare(dataclasses.replace(dataset, label_texts=texts), recipe_of(), folder=None)
    plain, both = corpus_of(prepared, label_documents=False), corpus_of(prepared, label_documents=True)
    assert plain.inputs is prepared.inputs and plain.labels is prepared.train.labels
    n_documents, known = len(prepared.train), [label for label in range(12) if prepared.label_rows[[label]].nnz]
    assert 3 not in known and len(known) >= 10
    assert len(both.inputs) == both.labels.shape[0] == n_documents + len(known)
    np.testing.assert_array_equal(both.inputs.rows[:n_documents].toarray(), prepared.rows.toarray())
    np.testing.assert_array_equal(both.labels[:n_documents].toarray(), prepared.train.labels.toarray())
    np.testing.assert_array_equal(both.inputs.rows[n_documents:].toarray(), prepared.label_rows[known].toarray())
    np.testing.assert_array_equal(both.labels[n_documents:].toarray(), np.eye(12)[known])
    np.testing.assert_array_equal(both.filter_pairs, prepared.train.filter_pairs)


def test_embeddings_of_the_texts_come_along(dataset, recipe_of):
    prepared = prepare(dataset, recipe_of(), folder=None)
    rng = np.random.default_rng(0)
    vectors = [rng.normal(size=(rows, 3)).astype(np.float32) for rows in (len(prepared.train), 12)]
    numbers = [Tokens.of([[row, 7][: 1 + row % 2] for row in range(rows)]) for rows in (len(prepared.train), 12)]
    inputs, label_inputs = (
        dataclasses.replace(texts, embeddings=one, tokens=some)
        for texts, one, some in zip((prepared.inputs, prepared.label_inputs), vectors, numbers, strict=True)
    )
    both = corpus_of(dataclasses.replace(prepared, inputs=inputs, label_inputs=label_inputs), label_documents=True)
    np.testing.assert_array_equal(both.inputs.embeddings, np.concatenate(vectors))
    assert len(both.inputs.tokens) == len(both.inputs)
    for row in (0, 3, len(prepared.train) + 5):
        source, place = (numbers[0], row) if row < len(prepared.train) else (numbers[1], row - len(prepared.train))
        np.testing.assert_array_equal(both.inputs.tokens[[row]].ids, source[[place]].ids)


def test_they_are_in_the_batches_of_the_surrogate_stage_alone(dataset, recipe_of, monkeypatch):
    seen = {}

    class Watched(BatchSource):
        def __init__(self, labels, *args, stage, **more):
            seen[stage] = labels.shape[0]
            super().__init__(labels, *args, stage=stage, **more)

    monkeypatch.setattr(fit, "BatchSource", Watched)
    pipeline = train(dataset, recipe_of(label_documents=True), device="cpu")
    known = int((np.diff(prepare(dataset, recipe_of(), folder=None).label_rows.indptr) > 0).sum())
    assert seen == {"surrogate": 50 + known, "ranker": 50} and known > 10
    np.testing.assert_array_equal(pipeline.ranker.profile.frequencies, dataset.label_frequencies)
    assert pipeline.facts["documents"] == 70
    assert len(pipeline.documents.names) <= 70
    plain = train(dataset, recipe_of(), device="cpu")
    assert (plain.graph.normalized != pipeline.graph.normalized).nnz == 0
    assert not np.array_equal(plain.ranker.scorer.vectors, pipeline.ranker.scorer.vectors)
