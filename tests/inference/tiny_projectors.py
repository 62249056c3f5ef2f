"""Tiny projectors of random weights, which make rows for `tiny_models` out of pictures."""

from io import BytesIO
from pathlib import Path

import gguf
import numpy as np
from PIL import Image

from tests.inference.tiny_models import WIDTH, type_weights

EYES_WIDTH, PATCH, SIZE = 16, 8, 32
PICTURE_TOKENS = (SIZE // PATCH) ** 2


def write_projector(path: Path, *, width: int = WIDTH, kind: str = "mlp") -> Path:
    """A projector as LLaVA has one: every picture becomes 16 rows that depend on its pixels.

    Args:
        width: of the rows; a model of another width cannot use them.
        kind: `gemma3` makes 4 rows, each of which knows the ones behind it as well.
    """
    rng = np.random.default_rng(3)

    def draw(*shape: int) -> type_weights:
        return (rng.standard_normal(shape) * 0.3).astype(np.float32)

    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name("Tiny eyes")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_uint32("clip.vision.embedding_length", EYES_WIDTH)
    writer.add_uint32("clip.vision.feed_forward_length", EYES_WIDTH)
    writer.add_uint32("clip.vision.block_count", 1)
    writer.add_uint32("clip.vision.projection_dim", width)
    writer.add_uint32("clip.vision.image_size", SIZE)
    writer.add_uint32("clip.vision.patch_size", PATCH)
    writer.add_uint32("clip.vision.attention.head_count", 1)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)
    writer.add_tensor("v.patch_embd.weight", draw(EYES_WIDTH, 3, PATCH, PATCH))
    writer.add_tensor("v.position_embd.weight", draw(PICTURE_TOKENS, EYES_WIDTH))
    for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        writer.add_tensor(f"v.blk.0.{name}.weight", draw(EYES_WIDTH, EYES_WIDTH))
    if kind == "gemma3":
        writer.add_uint32("clip.vision.projector.scale_factor", 2)
        writer.add_tensor("v.blk.0.ln1.weight", np.ones(EYES_WIDTH, np.float32))
        writer.add_tensor("v.blk.0.ln2.weight", np.ones(EYES_WIDTH, np.float32))
        writer.add_tensor("mm.input_projection.weight", draw(EYES_WIDTH, width))
        writer.add_tensor("mm.soft_emb_norm.weight", np.ones(EYES_WIDTH, np.float32))
    else:
        writer.add_tensor("mm.0.weight", draw(width, EYES_WIDTH))
        writer.add_tensor("mm.0.bias", draw(width))
        writer.add_tensor("mm.2.weight", draw(width, width))
        writer.add_tensor("mm.2.bias", draw(width))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def make_picture(seed: int = 0, *, kind: str = "PNG", width: int = 40, height: int = 30) -> bytes:
    """A file of a few coloured squares; other ones for every seed."""
    squares = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(squares).resize((width, height), Image.Resampling.NEAREST)
    file = BytesIO()
    picture.save(file, kind)
    return file.getvalue()
