"""How the cache is reserved."""

from pathlib import Path
from typing import Any

import pytest

from marketplace.inference.engine.context import Context
from marketplace.inference.engine.library import llama
from marketplace.inference.engine.model import Model

AUTO, OFF = llama.LLAMA_FLASH_ATTN_TYPE_AUTO, llama.LLAMA_FLASH_ATTN_TYPE_DISABLED


@pytest.mark.parametrize(
    ("gpu_layers", "heads", "expected"),
    [
        pytest.param(0, 4, OFF, id="a processor alone"),
        pytest.param(1, 4, AUTO, id="with a GPU"),
        pytest.param(0, 2**12, AUTO, id="more scores than there is room for"),
    ],
)
def test_flash_attention_is_left_out_where_it_is_slower(
    noise: Path, monkeypatch: pytest.MonkeyPatch, gpu_layers: int, heads: int, expected: int
) -> None:
    reserve, chosen = llama.llama_init_from_model, []

    def init(model: Any, params: Any) -> Any:
        chosen.append(params.flash_attn_type)
        return reserve(model, params)

    monkeypatch.setattr(llama, "llama_init_from_model", init)
    monkeypatch.setattr(llama, "llama_model_n_head", lambda _model: heads)
    model = Model(noise, gpu_layers=0)
    context = Context(
        model, places=2, slot_tokens=256, batch_tokens=512, threads=1, is_on_cpu=gpu_layers == 0
    )
    context.close()
    model.close()
    assert chosen == [expected]
