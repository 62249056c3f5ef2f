"""Settings of the inference engine."""

from pydantic import BaseModel, ConfigDict, Field

from marketplace.inference.upstream.settings import UpstreamSettings


class InferenceSettings(BaseModel):
    """How the engine uses its machine and how long people may queue for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: int = Field(
        default=4096,
        ge=0,
        le=1_048_576,
        description="Context of one request in tokens, prompt and answer together. "
        "0, or more than the model was trained on, means the model's own length.",
    )
    max_sequences: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Requests that are computed together. Each reserves its own context in memory.",
    )
    kept_prompts: int = Field(
        default=4,
        ge=0,
        le=64,
        description="System prompts of apps that are kept computed, so that the next person who "
        "uses the app need not wait for it. Each takes as much memory as a request.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=512,
        description="CPU threads that compute. 0 means one less than the machine has cores.",
    )
    batch_tokens: int = Field(
        default=2048,
        ge=32,
        le=16_384,
        description="Most tokens of one computing step, while no answer is being written.",
    )
    prefill_chunk: int = Field(
        default=512,
        ge=16,
        le=16_384,
        description="Most prompt tokens read in a step while other answers wait to go on. "
        "Smaller keeps running answers smoother, larger starts new ones sooner.",
    )
    step_ms: int = Field(
        default=150,
        ge=10,
        le=10_000,
        description="How long a computing step should take at most, in milliseconds. Slow "
        "machines read long prompts in more and smaller steps, so that others go on and a stop is "
        "heard within one. On a processor, reading may take a second, but is broken off for them.",
    )
    adapters: int = Field(
        default=8,
        ge=1,
        le=256,
        description="LoRA adapters of apps that stay loaded; the one used longest ago makes room.",
    )
    embedding_tokens: int = Field(
        default=512,
        ge=32,
        le=16_384,
        description="Longest text in tokens that becomes a vector, and the most tokens of one "
        "step that makes vectors. Large vocabularies need memory for each of them.",
    )
    guessed_tokens: int = Field(
        default=6,
        ge=0,
        le=32,
        description="Most tokens guessed ahead from the text so far while one answer is written "
        "alone; the engine stops guessing where it measures no gain. 0 turns it off.",
    )
    gpu_layers: int = Field(
        default=-1,
        ge=-1,
        le=1000,
        description="Layers of the model computed on the GPU. -1 means as many as it has; "
        "0 keeps everything on the CPU.",
    )
    queue_per_app: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="Waiting requests one app may have before more are turned away.",
    )
    queue_total: int = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="Waiting requests of all apps together before more are turned away.",
    )
    upstream: UpstreamSettings = Field(
        default=UpstreamSettings(), description="Other machines that compute in this one's place."
    )
    models_memory_mib: int = Field(
        default=0,
        ge=0,
        description="Memory that all loaded models may take together, in MiB. Idle ones make room "
        "for the one that is asked for. 0 means what is free.",
    )
    unload_after_s: int = Field(
        default=600,
        ge=0,
        description="Seconds after which a model that nobody uses is unloaded, unless it is the "
        "default one. 0 means never.",
    )
