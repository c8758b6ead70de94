"""Clustering and label graph of several processes are those of one, to the bit."""

from __future__ import annotations

import pytest

from tests.distributed import member


@pytest.mark.parametrize(("world", "n", "n_clusters"), [(2, 1001, 37), (3, 200, 64), (4, 40, 3), (2, 5, 1)])
def test_nodes_shared_out_give_the_same_order(cluster, world, n, n_clusters):
    answers = cluster.run(world, "cluster_points", n=n, n_clusters=n_clusters)
    assert answers[0] == member.cluster_points(n, n_clusters)
    assert sorted(answers[0]["order"]) == list(range(n))


@pytest.mark.parametrize("block_rows", [7, 60, 90])
def test_blocks_of_rows_shared_out_give_the_same_graph(cluster, block_rows):
    answers = cluster.run(3, "count_pairs", block_rows=block_rows)
    alone = member.count_pairs(90)
    assert len(alone["data"]) > 100
    assert all(answer == alone for answer in answers)
