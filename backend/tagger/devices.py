"""What a transformer computes on, and how precisely. Imports torch: import only where needed.

Weights are always kept in float32. What changes with the hardware is the precision of matrix
products, which torch's autocast lowers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from backend.errors import ConfigurationError
from backend.settings import TaggerSettings

_NATIVE_BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # the last is what ARM calls it


@dataclass(frozen=True, slots=True)
class Device:
    """A place to compute: ``type`` is ``cuda``, ``mps`` or ``cpu``, ``dtype`` that of products."""

    type: str
    name: str
    dtype: torch.dtype = torch.float32

    @property
    def lowers_precision(self) -> bool:
        """Whether matrix products are less precise than the weights."""
        return self.dtype is not torch.float32

    @property
    def width_step(self) -> int:
        """What widths of training batches should be multiples of: GPUs waste the rest."""
        return 8 if self.type == "cuda" else 1

    @property
    def tagging_tokens(self) -> int:
        """How many pieces to tag at a time: what caches hold, or what keeps a GPU busy."""
        return 2048 if self.type == "cpu" else 32768

    def autocast(self) -> Any:
        """A context in which matrix products are computed in ``dtype``."""
        if not self.lowers_precision:
            return torch.autocast(self.type, enabled=False)
        return torch.autocast(self.type, dtype=self.dtype)

    def gradient_scaler(self) -> torch.amp.GradScaler:
        """Keeps small gradients from vanishing in float16; does nothing for the other types."""
        return torch.amp.GradScaler(self.type, enabled=self.dtype is torch.float16)

    def describe(self) -> str:
        """For logs and reports: ``cuda (NVIDIA A100-SXM4-40GB), bfloat16``."""
        return f"{self.type} ({self.name}), {str(self.dtype).removeprefix('torch.')}"


def find_device(settings: TaggerSettings) -> Device:
    """The device that the settings name, or the best there is: CUDA, MPS, CPU.

    With ``precision: auto`` products are bfloat16 where the hardware has them, float16 on older
    CUDA cards (with scaled gradients) and float32 elsewhere. Raises
    :class:`~backend.errors.ConfigurationError` for a device that this machine does not have.
    """
    kind = _best_type() if settings.device == "auto" else settings.device
    if not _is_there(kind):
        raise ConfigurationError(
            f"tagger.device is {kind}, and torch {torch.__version__} finds no such device here. "
            f"Install the build of torch that fits the machine, or set tagger.device to auto."
        )
    dtype = (
        _best_dtype(kind) if settings.precision == "auto" else getattr(torch, settings.precision)
    )
    return Device(kind, _name(kind), dtype)


def gpu_count(device: Device) -> int:
    """How many cards of the device's type there are; 1 for anything but CUDA."""
    return torch.cuda.device_count() if device.type == "cuda" else 1


def _best_type() -> str:
    return next(kind for kind in ("cuda", "mps", "cpu") if _is_there(kind))


def _is_there(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


def _best_dtype(kind: str) -> torch.dtype:
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if kind == "cpu" and _cpu_has_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_has_bf16() -> bool:
    """Without instructions of its own for it a CPU is slower in bfloat16 than in float32."""
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in _NATIVE_BF16)


def _name(kind: str) -> str:
    if kind == "cuda":
        return torch.cuda.get_device_name()
    return str(torch.cpu.get_capabilities().get("cpu_name", kind)) if kind == "cpu" else kind
