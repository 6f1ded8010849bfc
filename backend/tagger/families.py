"""Which families of taggers there are, made from the settings."""

from __future__ import annotations

from collections.abc import Mapping

from backend.errors import ConfigurationError
from backend.protocols import TaggerFamily
from backend.settings import TaggerSettings
from backend.tagger.auxiliary import AuxiliaryFamily, Files
from backend.tagger.crf import CrfFamily
from backend.tagger.transformer import TransformerFamily


def all_families(settings: TaggerSettings) -> Mapping[str, TaggerFamily]:
    """Every family by its kind: a version on disk may be of another kind than new ones.

    Needs no torch until a transformer is trained or loaded.
    """
    families = (CrfFamily(second_look=settings.second_look), TransformerFamily(settings))
    return {family.kind: family for family in families}


def build_family(settings: TaggerSettings) -> TaggerFamily:
    """The family that trains new taggers; with the labels of other languages, if there are any.

    Raises :class:`~backend.errors.ConfigurationError` for a file of these that does not exist.
    """
    family = all_families(settings)[settings.kind]
    if not settings.auxiliary:
        return family
    if missing := [str(path) for path in settings.auxiliary if not path.is_file()]:
        raise ConfigurationError(
            f"There is no file {', '.join(missing)} with labels of other languages. Correct "
            f"tagger.auxiliary, or take it out: a project's own labels are enough."
        )
    return AuxiliaryFamily(family, Files(settings.auxiliary), settings.auxiliary_texts)
