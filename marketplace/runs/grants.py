"""What one run may do: the release's requests, held down to what this store allows."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from marketplace.catalog.models import App, Release
from marketplace.inference.ports import Wants
from marketplace.infra.egress import Secret
from marketplace.kernel.ids import AccountId, AppId, RunId
from marketplace.runs.models import Run
from marketplace.runs.preferences import Known
from marketplace.runs.settings import RunSettings
from marketplace.runs.wishes import wants_of
from marketplace.sandbox.budgets import Amounts
from marketplace.sandbox.limits import clamp
from marketplace.sandbox.ports import Job, Limits
from marketplace.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class Grant:
    """What one run may do, and for whom.

    Args:
        person: a pseudonym of the person, different in every app.
        hosts: where on the web it may go, `*.example.org` for all below.
        llm_tokens: the most tokens that may be generated in the whole run.
        hour_tokens: the most that may be read and generated, which is what the hour still allows.
        settings: what the person set for the app; `secrets`: what of it only the way out sees.
        withheld: secret inputs, which no log of the store may hold.
        is_scheduled: whether it was started by the clock, so that nobody sees an advertisement.
        adapter: key of the LoRA its answers are computed with.
        wants: what the model that answers must be able to do.
        share: what its app gets of a busy model, next to others' of 1.
        ad_views_per_day: how often one advertisement may be billed for the person.
        kv_bytes, egress_requests: the most that may be kept and fetched in the whole run.
    """

    run_id: RunId
    app_id: AppId
    ident: str
    version: str
    category: str
    age: int
    developer_id: AccountId
    person_id: AccountId
    person: str
    permissions: frozenset[str]
    ad_slots: frozenset[str]
    hosts: frozenset[str]
    llm_tokens: int
    hour_tokens: int
    kv_bytes: int
    egress_requests: int
    locale: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    withheld: tuple[str, ...] = ()
    is_scheduled: bool = False
    adapter: str | None = None
    wants: Wants = field(default_factory=Wants)
    share: float = 1.0
    ad_views_per_day: int = 1


def grant_for(
    run: Run,
    app: App,
    release: Release,
    settings: RunSettings,
    *,
    pseudonym: str,
    left: Amounts,
    known: Known,
    withheld: Collection[str],
) -> Grant:
    """The grant of one run. `seed` comes from the run's id, so a replay draws the same.

    Args:
        pseudonym: what the app may know the person by.
        left: what the hour still allows.
        known: what the person set for the app.
        withheld: the secrets of its input.
    """
    manifest = release.manifest
    return Grant(
        run_id=run.id,
        app_id=app.id,
        ident=app.ident,
        version=release.version,
        category=app.category,
        age=app.age,
        developer_id=app.owner_id,
        person_id=run.person_id,
        person=pseudonym,
        permissions=frozenset(entry["name"] for entry in manifest["permission"]),
        ad_slots=frozenset(entry["name"] for entry in manifest["ad_slot"]),
        hosts=frozenset((manifest.get("network") or {}).get("allow", ())),
        llm_tokens=min(manifest["limits"]["llm_tokens"], settings.max_llm_tokens, left.llm_tokens),
        hour_tokens=left.llm_tokens,
        kv_bytes=min(settings.kv_write_bytes, left.kv_bytes),
        egress_requests=min(settings.egress_requests, left.egress_requests),
        locale=run.locale,
        seed=run.id.int & 0x7FFFFFFFFFFFFFFF,
        settings=known.values,
        secrets=known.secrets,
        withheld=tuple(withheld),
        is_scheduled=run.is_scheduled,
        adapter=release.adapter_key,
        wants=wants_of(manifest),
        share=share_of(app, settings),
        ad_views_per_day=settings.ad_views_per_day,
    )


def share_of(app: App, settings: RunSettings) -> float:
    """What an app gets of a busy model: what the operator gave it, or what its price says."""
    usual = 1.0 if app.price_micros is None else settings.paid_share
    return settings.shares.get(app.ident, usual)


def limits_of(release: Release, settings: SandboxSettings, left: Amounts) -> Limits:
    """The sandbox's limits for this release: what it asks for, within what is allowed and left."""
    asked = release.manifest["limits"]
    most = settings.ceiling
    found = clamp(
        {name: value for name, value in asked.items() if value is not None},
        usual=settings.usual,
        ceiling=replace(
            most,
            wall_ms=min(most.wall_ms, left.wall_ms),
            cpu_ms=min(most.cpu_ms, left.cpu_ms),
            output_bytes=min(most.output_bytes, left.output_bytes),
            host_calls=min(most.host_calls, left.host_calls),
        ),
    )
    # What is left of memory times time is time, for memory that is full to its limit.
    full_ms = left.memory_mb_s * 2**20 * 1000 // found.memory_bytes
    return replace(found, wall_ms=max(1, min(found.wall_ms, full_ms)))


def header(run: Run, grant: Grant, release: Release, withheld: list[str]) -> dict[str, Any]:
    """The first line of the run's audit log: what a replay starts from.

    Args:
        withheld: where in the input secrets were.
    """
    return {
        "run": str(run.id),
        "app": grant.ident,
        "version": grant.version,
        "bundle": release.bundle_key,
        "action": run.action,
        "input": run.input,
        **({"withheld": withheld} if withheld else {}),
        "seed": grant.seed,
        "started_at": run.created_at.isoformat(),
        "locale": run.locale,
        "grants": sorted(grant.permissions),
    }


def job_of(
    run: Run,
    release: Release,
    grant: Grant,
    *,
    code: Mapping[str, bytes],
    values: Mapping[str, Any],
    limits: Limits,
) -> Job:
    """What the sandbox performs for a run.

    Args:
        code: the files of the release.
        values: the action's input, secrets and all.
    """
    return Job(
        run_id=str(run.id),
        code=code,
        entry=release.manifest["runtime"]["entry"],
        action=run.action,
        input_json=json.dumps(values, ensure_ascii=False),
        seed=grant.seed,
        started_at=run.created_at,
        grants=grant.permissions,
        limits=limits,
        locale=run.locale,
        release=release.code_key or "",
    )
