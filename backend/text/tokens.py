"""Where the words of a text are: offsets of tokens in any script.

The tokeniser is deliberately fine. An annotator's span is kept exactly when it starts and ends
where tokens do, and a name of two tokens costs a tagger nothing; a token that swallows a
boundary moves the annotator's span.
"""

from __future__ import annotations

import regex

TokenOffsets = tuple[int, int]

_TOKEN = regex.compile(
    r"""
      [\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*
    | [\p{L}\p{N}]
      (?: [\p{L}\p{N}\p{M}]
        | \p{Cf}+(?=[\p{L}\p{N}\p{M}])         # joiners and soft hyphens inside a word
        | (?<=[\p{L}\p{M}])['’](?=[^\W\p{Lu}\p{N}_])
      )*
    | (?!\p{GCB=Prepend}|\s)\X                 # an emoji with all its joined parts
    | \S
    """,
    regex.VERBOSE | regex.VERSION1,
)


def tokenise(text: str) -> list[TokenOffsets]:
    """Offsets ``(start, end)`` of the words and signs of ``text``, in order, in code points.

    The rule: a word is a run of letters, digits and the marks on them; any other visible
    character is a token of its own, with the marks and joiners that make it one picture. So
    hyphens always part ("i-ANC"). An apostrophe between two letters joins ("k'a", "ng'ombe"),
    unless a capital follows it: there an elided word ends and a name begins ("s'Abeokuta",
    "d'Ivoire"). An apostrophe at the edge of a word parts, because only the writer knows whether
    it is a glottal stop or a quotation mark; the letters U+02BC and U+A78C are letters and stay.
    In scripts that are written without spaces each character is a token.

    Every character but white space is in exactly one token.
    """
    return [match.span() for match in _TOKEN.finditer(text)]
