import pytest
import torch

from eclare_py.train.precision import in_bfloat16

CPU = torch.device("cpu")


def test_a_format_that_was_named_is_used():
    assert in_bfloat16("bfloat16", CPU) and not in_bfloat16("float32", CPU)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_bf16": True}, True), ({"avx512_bf16": False, "amx_bf16": True}, True), ({"avx2": True}, False)],
)
def test_auto_asks_the_processor(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert in_bfloat16("auto", CPU) is expected


def test_auto_is_float32_where_nothing_is_known(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not in_bfloat16("auto", CPU)
