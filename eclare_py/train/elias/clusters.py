"""The starts of the stages: labels into clusters, clusters into classifiers, visits into slots."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from eclare_py.index import balanced_kmeans, label_centroids
from eclare_py.index.clustering import unit_rows
from eclare_py.index.pattern import home_pattern, visited_pattern
from eclare_py.linear import projected_means
from eclare_py.train.elias.session import FIXED, LEARNED, WARM, EliasSession, build_graph, optimizer_of
from eclare_py.types import Csr, FloatArray, IntArray

_AWAY = 1 / 3  # weight of an edge at the start against that from a label's own cluster
TEMPERATURE = 0.05  # on cosines: of the softmax over clusters at the start, and of the warm-up on texts
_BLOCK = 2048


def start_stage(session: EliasSession, stage: str) -> None:
    """Give the network the index that a stage starts from, and the stage a fresh optimiser.

    The warm stage clusters labels by TF-IDF, stage 1 by TF-IDF and the encoder side by side (PIFA both). Stage 2 takes
    the pattern of its slots from where stage 1 sends the documents; only the indices survive, weights start anew, and
    so do the label classifiers. Deviations: cluster classifiers start at the clusters' centroids instead of at random;
    edges start full where a label's documents go most and at a third elsewhere, as from random weights a few hundred
    steps do not bring them up to 1 (1.4 points of P@1 on held-out documents of debian-related); and label texts may
    join the clustering.
    """
    settings, prepared, network = session.recipe.elias, session.prepared, session.network
    vectors, start = network.vectors(prepared.inputs), None
    if stage != LEARNED:
        means = unit_rows(projected_means(prepared.rows, prepared.train.labels, seed=session.recipe.seed))
        centroids = label_centroids(vectors, prepared.train.labels)
        points = [means] if stage == WARM else [centroids, means]
        if settings.cluster_texts:
            points.append(label_texts(session))
        home = balanced_kmeans(np.concatenate(points, axis=1), max_leaf=settings.max_leaf, seed=session.recipe.seed)
        n_clusters = int(home.max()) + 1
        pattern = home_pattern(home, n_clusters)
        _start_gates(session, cluster_means(centroids, home, n_clusters))
    elif settings.learned:
        visits = visited(session, vectors)
        pattern, at_home = visited_pattern(prepared.train.labels, visits, settings.slots, network.graph.parents())
        if settings.edge_start == "home":
            start = np.where(at_home, 1, _AWAY).astype(np.float32)
        session.log("note", slots=int((pattern >= 0).sum()), labels_without=_lost(pattern, prepared.train.n_labels))
    else:
        pattern = network.graph.slots
    learned = stage == LEARNED and settings.learned
    network.graph = build_graph(prepared, session.recipe, pattern, learned=learned, start=start).to(session.device)
    # Stage 1 goes on with the classifiers of a warm-up that had an index.
    if stage != FIXED or not settings.warm_epochs or settings.warm == "text":
        start_labels(session)
    session.optimizer = optimizer_of(network, session.recipe, stage)


def visited(session: EliasSession, vectors: FloatArray) -> Csr:
    """(N, C) the gates of the b clusters that a search visits for each document, without teacher forcing."""
    network, beam = session.network, session.recipe.elias.beam
    parts = []
    with torch.no_grad():
        for start in range(0, len(vectors), _BLOCK):
            encoded = network.scale * torch.from_numpy(vectors[start : start + _BLOCK]).to(session.device)
            gates = network.gates(encoded)
            clusters = network.found(gates, beam)
            scores = np.take_along_axis(gates.cpu().numpy(), clusters, axis=1)
            indptr = np.arange(len(clusters) + 1) * clusters.shape[1]
            parts.append(Csr((scores.ravel(), clusters.ravel(), indptr), shape=(len(clusters), gates.shape[1])))
    return Csr(sp.vstack(parts, format="csr"))


def start_labels(session: EliasSession) -> None:
    """Label classifiers at their start: along the vectors of the label texts, or zero."""
    settings, network = session.recipe.elias, session.network
    vectors = None
    if settings.label_start == "text":
        vectors = torch.from_numpy(label_texts(session) * np.float32(settings.label_gain / settings.scale)).to(
            session.device
        )
    network.labels.restart(vectors, settings.label_bias)


def label_texts(session: EliasSession) -> FloatArray:
    """(L, d) unit vectors of the label texts as the encoder stands."""
    prepared = session.prepared
    return session.network.vectors(prepared.label_inputs)


def cluster_means(centroids: FloatArray, home: IntArray, n_clusters: int) -> FloatArray:
    """(C, d) unit means of the centroids of each cluster's labels."""
    ones = np.ones(len(home), dtype=np.float32)
    member = sp.csr_array((ones, (home, np.arange(len(home)))), shape=(n_clusters, len(home)))
    return unit_rows(np.asarray(member @ centroids))


def _start_gates(session: EliasSession, means: FloatArray) -> None:
    network = session.network
    network.clusters = torch.nn.Linear(means.shape[1], len(means)).to(session.device)
    with torch.no_grad():
        network.clusters.weight.copy_(torch.from_numpy(means / np.float32(TEMPERATURE * network.scale)))
        network.clusters.bias.zero_()


def _lost(pattern: IntArray, n_labels: int) -> int:
    return n_labels - len(np.unique(pattern[pattern >= 0]))
