import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import Span
from backend.errors import CorpusError
from backend.text.bio import to_bio
from backend.text.conll import (
    Sentence,
    from_text,
    read_conll,
    read_partly_labelled,
    to_text,
    write_conll,
)
from backend.text.tokens import tokenise


@pytest.fixture
def read(tmp_path):
    def read_bytes(content):
        path = tmp_path / "corpus.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_conll(path))

    return read_bytes


def test_blank_lines_part_sentences(read):
    assert read("Lagos B-LOC\n. O\n\n\nIbadan B-LOC\n\n") == [
        Sentence(("Lagos", "."), ("B-LOC", "O")),
        Sentence(("Ibadan",), ("B-LOC",)),
    ]


def test_the_last_sentence_needs_no_blank_line(read):
    assert read("a O\n\nb O") == [Sentence(("a",), ("O",)), Sentence(("b",), ("O",))]


def test_an_empty_token_is_kept(read):
    assert read("a O\n O\nb O\n") == [Sentence(("a", "", "b"), ("O", "O", "O"))]


@pytest.mark.parametrize("token", ['"', '""""', "\u200b", "a\u00a0b", "a\u2028b", "#", "'"])
def test_strange_tokens_are_kept_as_they_are(read, token):
    assert read(f"{token} O\n") == [Sentence((token,), ("O",))]


def test_windows_line_ends_tabs_and_a_byte_order_mark_are_forgiven(read):
    assert read(b"\xef\xbb\xbfLagos\tB-LOC\r\n\r\nb\tO\r\n") == [
        Sentence(("Lagos",), ("B-LOC",)),
        Sentence(("b",), ("O",)),
    ]


def test_document_starts_are_no_sentences(read):
    assert read("-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\n") == [Sentence(("EU",), ("B-ORG",))]


def test_an_inside_tag_without_a_beginning_becomes_one(read):
    assert read("a I-LOC\nb I-LOC\nc I-PER\n")[0].tags == ("B-LOC", "I-LOC", "B-PER")


@pytest.mark.parametrize("line", ["Lagos", "Lagos LOC", "Lagos B-", "Lagos\tE-LOC"])
def test_a_line_without_a_tag_is_named_by_its_number(read, line):
    with pytest.raises(CorpusError, match=r"corpus\.txt, line 2: .*Lagos"):
        read(f"a O\n{line}\n")


def test_a_file_that_is_not_utf8_is_refused_in_plain_words(read):
    with pytest.raises(CorpusError, match="not UTF-8"):
        read("é O\n".encode("latin-1"))


def test_a_missing_file_is_refused_in_plain_words(tmp_path):
    with pytest.raises(CorpusError, match="Cannot read"):
        list(read_conll(tmp_path / "absent.txt"))


def test_a_cut_gzip_file_is_refused_in_plain_words(tmp_path):
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress(b"a O\n" * 1000)[:-12])

    with pytest.raises(CorpusError, match="Cannot read"):
        list(read_conll(path))


@pytest.mark.parametrize("name", ["corpus.txt", "corpus.txt.gz"])
def test_what_is_written_is_read_again(tmp_path, name):
    sentences = [Sentence(('"', "", "Ìbàdàn"), ("O", "O", "B-LOC")), Sentence(("b",), ("O",))]

    write_conll(tmp_path / name, sentences)

    assert list(read_conll(tmp_path / name)) == sentences


def test_a_token_that_would_break_a_line_is_not_written(tmp_path):
    with pytest.raises(CorpusError, match="white space"):
        write_conll(tmp_path / "corpus.txt", [Sentence(("a\nb",), ("O",))])


def test_a_sentence_becomes_a_text_with_exact_spans():
    sentence = Sentence(("I", "saw", "", "New", "York"), ("O", "O", "O", "B-LOC", "I-LOC"))

    assert to_text(sentence) == ("I saw New York", (Span(6, 14, "LOC"),))


def test_a_span_of_an_empty_token_goes_with_it():
    assert to_text(Sentence(("a", ""), ("O", "B-LOC"))) == ("a", ())


tokens = st.text(st.characters(exclude_characters=" ", codec="utf-8"), min_size=1, max_size=5)


@given(st.lists(st.tuples(tokens, st.sampled_from(["O", "B-LOC", "B-PER"])), max_size=8))
def test_a_text_becomes_the_sentence_it_came_from(pairs):
    sentence = Sentence(tuple(token for token, _ in pairs), tuple(tag for _, tag in pairs))

    assert from_text(*to_text(sentence)) == sentence


@pytest.mark.skipif("HARAMBEE_DATA" not in os.environ, reason="HARAMBEE_DATA is not set")
def test_our_tokens_keep_every_span_of_masakhaner_exactly():
    corpora = sorted(Path(os.environ["HARAMBEE_DATA"]).glob("masakhaner2/*/dev.txt.gz"))

    inexact = {}
    for corpus in corpora:
        texts = [to_text(sentence) for sentence in read_conll(corpus)]
        inexact[corpus.parent.name] = sum(to_bio(tokenise(text), spans)[1] for text, spans in texts)

    assert corpora
    assert not any(inexact.values()), inexact


class TestFilesThatAreLabelledInPart:
    @pytest.fixture
    def partly(self, tmp_path):
        def read_text(content):
            path = tmp_path / "half.txt"
            path.write_text(content, encoding="utf-8")
            return read_partly_labelled(path)

        return read_text

    @pytest.mark.parametrize("bare", ["we\nwent\n", "we _\nwent _\n", "we\t_\nwent\t_\n"])
    def test_sentences_without_tags_wait_for_labels(self, partly, bare):
        labelled, waiting = partly(f"Lagos B-LOC\n\n{bare}\nAda B-PER\n")

        assert [sentence.tokens for sentence in labelled] == [("Lagos",), ("Ada",)]
        assert waiting == ["we went"]

    def test_a_sentence_without_a_span_is_labelled_all_the_same(self, partly):
        assert partly("we O\nwent O\n") == ([Sentence(("we", "went"), ("O", "O"))], [])

    def test_a_sentence_that_is_labelled_in_part_is_an_error_with_its_line(self, partly):
        with pytest.raises(CorpusError, match="line 2"):
            partly("Ada B-PER\nwent\n")

    def test_an_empty_file_holds_nothing(self, partly):
        assert partly("") == ([], [])
