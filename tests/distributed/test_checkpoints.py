"""Checkpoints go from any number of processes to any other; a lost process costs nothing but time."""

from __future__ import annotations

import numpy as np

from tests.distributed import member


def test_four_processes_then_two_then_one_keep_the_predictions(cluster, tmp_path):
    folders = [str(tmp_path / name) for name in ("four", "two", "one", "end")]
    stopped = cluster.run(4, "train", folder=folders[0], stop=["ranker", 1, 3])
    assert all(one == {"stopped": True} for one in stopped)
    four = cluster.run(4, "open_checkpoint", folder=folders[0], out=folders[1])
    two = cluster.run(2, "open_checkpoint", folder=folders[1], out=folders[2])
    one = member.open_checkpoint(folders[2], folders[3])
    assert ([a["rows"] for a in four], [a["rows"] for a in two], one["rows"]) == ([23, 23, 22, 22], [45, 45], 90)
    for told in (*four, *two):
        np.testing.assert_allclose(told["scores"], one["scores"], atol=1e-6)
        assert (np.array(told["indices"]) == one["indices"]).mean() > 0.99  # but for ties within rounding
    files = [(tmp_path / name / "checkpoint" / "training.safetensors").read_bytes() for name in ("four", "two", "end")]
    assert files[0] == files[1] == files[2]  # what is loaded and saved again is the same to the bit


def test_training_goes_on_with_another_number_of_processes(cluster, tmp_path):
    folder = str(tmp_path / "run")
    member.train(str(tmp_path / "straight.npz"))
    cluster.run(4, "train", folder=folder, stop=["surrogate", 2, 2])
    cluster.run(2, "train", folder=folder, resume=True, stop=["ranker", 1, 4])
    member.train(str(tmp_path / "changed.npz"), folder=folder, resume=True)
    straight, changed = np.load(tmp_path / "straight.npz"), np.load(tmp_path / "changed.npz")
    for name in straight:
        np.testing.assert_allclose(changed[name], straight[name], atol=1e-5, err_msg=name)
