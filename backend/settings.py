"""Settings from defaults, a YAML file and the environment; the only reader of ``os.environ``.

Order of precedence, highest first: the environment's ecosystem names (``LABEL_STUDIO_URL``,
``OPENAI_API_KEY``, ...), ``HARAMBEE_SECTION__NAME`` variables, the YAML file named by
``HARAMBEE_CONFIG`` (or given to :func:`load_settings`), the defaults below.
``config/default.yaml`` holds the same defaults with explanations; a test keeps them equal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from backend.errors import ConfigurationError


class Section(BaseModel):
    """A frozen group of settings; unknown names are errors, so that typos do not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Section):
    """The web process: where it listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(9090, ge=0, le=65535)
    public_url: str | None = None
    workers: int = Field(1, ge=1)
    threads: int = Field(8, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    basic_auth_user: str | None = None
    basic_auth_pass: SecretStr | None = None
    max_body_mb: int = Field(256, ge=1)
    predict_deadline_seconds: float = Field(20.0, gt=0)


class LabelStudioSettings(Section):
    """The Label Studio this backend belongs to."""

    url: str = "http://localhost:8080"
    api_key: SecretStr | None = None
    timeout_seconds: float = Field(60.0, gt=0)
    push_batch: int = Field(5000, ge=1)


class ArgillaSettings(Section):
    """The Argilla that teams label in, and the dataset that is made there."""

    url: str = "http://localhost:6900"
    api_key: SecretStr | None = None
    workspace: str = Field("harambee", min_length=1)
    dataset: str = Field("harambee", min_length=1, max_length=200)
    labels: dict[str, str] = {
        "PER": "names of people",
        "ORG": "names of organisations",
        "LOC": "names of places",
        "DATE": "dates and times",
    }
    text_field: str | None = None
    question: str | None = None
    annotators: tuple[str, ...] = ()
    submissions: int = Field(1, ge=1)
    timeout_seconds: float = Field(60.0, gt=0)
    push_batch: int = Field(250, ge=1, le=500)


class StoreSettings(Section):
    """Where state lives: a folder for SQLite and models, or a database URL."""

    data_dir: Path = Path("data")
    database_url: str | None = None
    model_dir: Path | None = None


class JobSettings(Section):
    """The queue that wakes the worker; the work itself is in the database."""

    broker_url: str | None = None
    inline: bool = False
    lease_seconds: float = Field(60.0, gt=0)
    reconcile_seconds: float = Field(30.0, gt=0)


class LlmSettings(Section):
    """The LLM annotator. ``auto`` takes the first provider whose key is set, or none."""

    provider: Literal["auto", "openai", "anthropic", "none"] = "auto"
    model: str | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    prompt: str = "entities-v2"
    paper_templates: Path | None = None
    guidelines: str = ""
    sentences_per_call: int = Field(10, ge=1, le=50)
    demonstrations: Literal["none", "static", "nearest"] = "none"
    demonstration_count: int = Field(4, ge=1, le=50)
    confidence: Literal["stated", "logprobs", "repetition", "agreement"] = "stated"
    repetitions: int = Field(3, ge=2, le=20)
    second_provider: Literal["openai", "anthropic"] | None = None
    second_model: str | None = None
    second_price_usd_per_million: tuple[float, float] | None = None
    budget_usd: float = Field(5.0, ge=0)
    budget_usd_per_day: float | None = Field(None, ge=0)
    budget_usd_per_run: float | None = Field(None, ge=0)
    concurrency: int = Field(8, ge=1)
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    timeout_seconds: float = Field(60.0, gt=0)
    deadline_seconds: float = Field(120.0, gt=0)
    max_attempts: int = Field(4, ge=1)
    max_output_tokens: int = Field(2000, ge=16)
    price_usd_per_million: tuple[float, float] | None = None
    fallback_model: str | None = None
    fallback_price_usd_per_million: tuple[float, float] | None = None
    batch_poll_seconds: float = Field(30.0, gt=0)


class TaggerSettings(Section):
    """The tagger that learns from accepted labels."""

    kind: Literal["crf", "transformer"] = "crf"
    second_look: bool = True
    auxiliary: tuple[Path, ...] = ()
    auxiliary_texts: int = Field(1000, ge=1)
    base_model: str = "Davlan/afro-xlmr-mini"
    variant: Literal["trimmed", "full", "frozen", "lora"] = "trimmed"
    learning_rate: float | None = Field(None, gt=0)
    start: Literal["best", "scratch", "last"] = "best"
    epochs: int = Field(20, ge=1)
    min_steps: int = Field(500, ge=1)
    batch_tokens: int = Field(512, ge=64)
    max_pieces: int = Field(256, ge=16)
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    gpus: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)


class LearningSettings(Section):
    """When and how to learn."""

    after_labels: int = Field(50, ge=1)
    min_labels: int = Field(20, ge=2)
    held_out_share: float = Field(0.2, gt=0, lt=1)
    promotion_tolerance: float = Field(0.0, ge=0, le=1)
    llm_labels: Literal["auto", "none", "corrected", "as-given"] = "auto"
    calibrate: bool = True
    seed: int = 0


StrategyName = Literal[
    "default", "random", "longest", "margin", "least-confidence", "sequence-probability",
    "mnlp", "mean-entropy", "max-entropy", "total-entropy", "top-entropy", "vote-entropy",
    "committee-kl", "bald", "llm-disagreement", "per-minute", "k-center", "clusters",
    "margin-diverse", "entropy-diverse", "margin-clusters", "knapsack",
]  # fmt: skip
"""The query strategies; a test holds them equal to those that there are."""


class SuggestionSettings(Section):
    """Which suggestion an annotator sees, and which task comes first."""

    where_both: Literal["best", "llm", "tagger"] = "best"
    strategy: StrategyName = "default"
    cost_unit: Literal["sentence", "token", "minute"] = "sentence"
    cold_start: Literal["llm-confidence", "clusters"] = "llm-confidence"
    balance_by: str | None = None


class StoppingSettings(Section):
    """When the rounds' report advises to stop labelling; nothing ever stops by itself."""

    labels: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0)
    usd: float | None = Field(None, ge=0)
    agreement: float = Field(0.99, ge=0, le=1)
    gain: float = Field(0.005, ge=0, le=1)


class RoutingSettings(Section):
    """Which of the LLM's answers may stand unchecked, and how much time humans have."""

    wrong_share: float = Field(0.05, gt=0, lt=1)
    risk: float = Field(0.1, gt=0, lt=1)
    human_minutes: float | None = Field(None, ge=0)


class AuditSettings(Section):
    """The blind audit: what people label without seeing a suggestion."""

    share: float = Field(0.05, ge=0, lt=1)
    half_width: float = Field(0.03, gt=0, lt=1)


class CrowdSettings(Section):
    """What stands where several people labelled the same task."""

    aggregate: Literal["latest", "majority", "dawid-skene"] = "dawid-skene"
    min_annotators: int = Field(3, ge=2)
    count_llm: bool = False


class CostSettings(Section):
    """What work costs, for ``harambee cost savings``."""

    usd_per_hour: float = Field(10.0, ge=0)
    training_usd_per_hour: float = Field(0.0, ge=0)


ANY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to

ECOSYSTEM_NAMES: Mapping[str, tuple[str, str]] = {
    "LABEL_STUDIO_HOST": ("label_studio", "url"),
    "LABEL_STUDIO_URL": ("label_studio", "url"),
    "LABEL_STUDIO_API_KEY": ("label_studio", "api_key"),
    "ARGILLA_API_URL": ("argilla", "url"),
    "ARGILLA_API_KEY": ("argilla", "api_key"),
    "BASIC_AUTH_USER": ("server", "basic_auth_user"),
    "BASIC_AUTH_PASS": ("server", "basic_auth_pass"),
    "HOST": ("server", "host"),
    "PORT": ("server", "port"),
    "WORKERS": ("server", "workers"),
    "THREADS": ("server", "threads"),
    "LOG_LEVEL": ("server", "log_level"),
    "MODEL_DIR": ("store", "model_dir"),
    "DATABASE_URL": ("store", "database_url"),
    "REDIS_URL": ("jobs", "broker_url"),
    "OPENAI_API_KEY": ("llm", "openai_api_key"),
    "OPENAI_BASE_URL": ("llm", "openai_base_url"),
    "ANTHROPIC_API_KEY": ("llm", "anthropic_api_key"),
    "ANTHROPIC_BASE_URL": ("llm", "anthropic_base_url"),
}
"""Environment names that teams have set already; a later line wins over an earlier one."""


class EcosystemSource(PydanticBaseSettingsSource):
    """Reads :data:`ECOSYSTEM_NAMES`; empty values count as not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: the values of this source come as one mapping."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Nested settings for every name that is set."""
        found: dict[str, dict[str, str]] = {}
        for name, (section, key) in ECOSYSTEM_NAMES.items():
            if value := os.environ.get(name):
                found.setdefault(section, {})[key] = value
        return found


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(
        env_prefix="HARAMBEE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    server: ServerSettings = ServerSettings()
    label_studio: LabelStudioSettings = LabelStudioSettings()
    argilla: ArgillaSettings = ArgillaSettings()
    store: StoreSettings = StoreSettings()
    jobs: JobSettings = JobSettings()
    llm: LlmSettings = LlmSettings()
    tagger: TaggerSettings = TaggerSettings()
    learning: LearningSettings = LearningSettings()
    suggestions: SuggestionSettings = SuggestionSettings()
    stopping: StoppingSettings = StoppingSettings()
    audit: AuditSettings = AuditSettings()
    routing: RoutingSettings = RoutingSettings()
    crowd: CrowdSettings = CrowdSettings()
    cost: CostSettings = CostSettings()

    @model_validator(mode="after")
    def _audit_is_held_out(self) -> Self:
        if self.audit.share > self.learning.held_out_share:
            raise ValueError(
                f"audit.share ({self.audit.share}) is larger than learning.held_out_share "
                f"({self.learning.held_out_share}), but audited texts are a part of the held-out "
                "ones: lower the one or raise the other"
            )
        return self

    @property
    def database_url(self) -> str:
        """The configured database, or a SQLite file in the data folder."""
        return self.store.database_url or f"sqlite:///{self.store.data_dir / 'harambee.sqlite3'}"

    @property
    def model_dir(self) -> Path:
        """The folder of model versions."""
        return self.store.model_dir or self.store.data_dir / "models"

    @property
    def public_url(self) -> str:
        """The address under which the labelling tool reaches this backend."""
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        host = "localhost" if self.server.host in ANY_INTERFACE else self.server.host
        return f"http://{host}:{self.server.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values arrive as arguments."""
        return EcosystemSource(settings_cls), env_settings, init_settings


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; a clear error for anything else."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"Cannot read the settings file {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"The settings file {path} must hold sections with settings.")
    return content


def _refuse_unknown_sections() -> None:
    """Refuse ``HARAMBEE_SERVR__PORT``, which pydantic-settings would pass over."""
    for name in os.environ:
        section, nested, _ = name.removeprefix("HARAMBEE_").partition("__")
        if name.startswith("HARAMBEE_") and nested and section.lower() not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise ConfigurationError(
                f"The environment variable {name} names no section of the settings: they are "
                f"{known}. Correct or unset it."
            )


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from ``path`` (default: the file that ``HARAMBEE_CONFIG`` names, if any).

    ``overrides`` are sections that replace those of the file. Raises
    :class:`~backend.errors.ConfigurationError` naming each wrong setting.
    """
    _refuse_unknown_sections()
    configured = os.environ.get("HARAMBEE_CONFIG")
    chosen = path or (Path(configured) if configured else None)
    content = read_yaml(chosen) if chosen else {}
    try:
        return Settings(**(content | overrides))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'settings'}: {item['msg']}"
            for item in error.errors(include_input=False)
        )
        raise ConfigurationError(f"These settings cannot be used: {wrong}") from error
