"""Which families of taggers there are, made from the settings."""

from __future__ import annotations

from collections.abc import Mapping

from backend.protocols import TaggerFamily
from backend.settings import TaggerSettings
from backend.tagger.crf import CrfFamily
from backend.tagger.transformer import TransformerFamily


def all_families(settings: TaggerSettings) -> Mapping[str, TaggerFamily]:
    """Every family by its kind: a version on disk may be of another kind than new ones.

    Needs no torch until a transformer is trained or loaded.
    """
    families = (CrfFamily(), TransformerFamily(settings))
    return {family.kind: family for family in families}


def build_family(settings: TaggerSettings) -> TaggerFamily:
    """The family that trains new taggers."""
    return all_families(settings)[settings.kind]
