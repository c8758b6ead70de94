"""Parameters of the best epoch: a copy, in the memory of the copy before."""

import torch

from eclare_py.train.best_epoch import Kept


def test_a_copy_stays_as_it_was_and_the_next_takes_its_memory():
    network = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
    first = Kept.of(network, {})
    assert list(first) == list(network.state_dict())
    values = {name: value.clone() for name, value in first.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1.0
    assert all(torch.equal(first[name], values[name]) for name in values)
    assert not torch.equal(first["0.weight"], network.state_dict()["0.weight"])
    second = Kept.of(network, first)
    assert second is first
    assert all(torch.equal(second[name], value) for name, value in network.state_dict().items())


def test_memory_of_another_shape_or_owner_is_left_alone():
    small, large = torch.nn.Linear(2, 3), torch.nn.Linear(2, 4)
    kept = Kept.of(small, {})
    before = kept["weight"].clone()
    assert Kept.of(large, kept)["weight"].shape == (4, 2) and torch.equal(kept["weight"], before)
    loaded = {name: value.clone() for name, value in small.state_dict().items()}  # of a checkpoint: may be read-only
    assert Kept.of(small, loaded) is not loaded
