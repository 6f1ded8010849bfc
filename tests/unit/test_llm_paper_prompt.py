import json
from pathlib import Path

import pytest

from backend.domain import LabelScheme, Span, Task
from backend.errors import ConfigurationError
from backend.llm.paper_prompt import PaperPrompt
from backend.llm.prompt import Brief, Prompt

BRIEF = Brief(LabelScheme(("PER", "ORG", "LOC", "DATE")))
TEMPLATES = {
    "system": "Expert in {language}.",
    "single": "Label {language}.\n{examples}\nSentence: {sentence}\n",
    "batch2": "Label {language}.\n{examples}\nSentences: {inputs}\n",
}


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    path = tmp_path / "templates.json"
    path.write_text(json.dumps(TEMPLATES), encoding="utf-8")
    shown = {"example1": {"input": ["Jos"], "output": [["Jos", "B-LOC"]]}}
    (tmp_path / "few_shot_single.json").write_text(json.dumps({"Hausa": shown}), encoding="utf-8")
    return path


def test_every_place_is_filled(templates: Path):
    asked = PaperPrompt("paper-single", templates).question([Task("1", "Ada ta", "hau")], BRIEF)
    assert asked.system == "Expert in Hausa."
    assert asked.user == (
        "Label Hausa.\nExample 1:\nInput: ['Jos']\nOutput: { 'output': [['Jos', 'B-LOC']] }\n"
        "Sentence: ['Ada', 'ta']\n"
    )


def test_two_sentences_are_two_records(templates: Path):
    tasks = [Task("1", "Ada", "hau"), Task("2", "Jos", "hau")]
    asked = PaperPrompt("paper-batch2", templates).question(tasks, BRIEF)
    assert asked.user.endswith("Sentences: {'record_0': ['Ada'], 'record_1': ['Jos']}\n")


def test_a_text_that_looks_like_a_place_stays_a_text(templates: Path):
    task = Task("1", "{examples} {language} '", "hau")
    asked = PaperPrompt("paper-single", templates).question([task], BRIEF)
    assert asked.user.endswith("Sentence: ['{examples}', '{language}', \"'\"]\n")


def test_a_language_without_examples_is_asked_without(templates: Path):
    asked = PaperPrompt("paper-single", templates).question([Task("1", "Ada", "Maltese")], BRIEF)
    assert "Input:" not in asked.user
    assert "Maltese" in asked.user


def test_other_examples_are_another_version(templates: Path):
    before = PaperPrompt("paper-single", templates).version
    (templates.parent / "few_shot_single.json").unlink()
    assert PaperPrompt("paper-single", templates).version != before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"system": "a"}'])
def test_files_that_are_no_templates_are_an_error(tmp_path: Path, content: str):
    (tmp_path / "templates.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"templates\.json"):
        PaperPrompt("paper-single", tmp_path / "templates.json")


def test_templates_are_for_the_papers_prompts_only(templates: Path):
    with pytest.raises(ConfigurationError, match="paper-single"):
        PaperPrompt("entities-v2", templates)


@pytest.mark.parametrize("name", ["paper-single", "paper-batch2"])
def test_our_own_words_are_not_the_papers(name: str, research_data: Path):
    templates = research_data / "prompts" / "templates.json"
    task = Task("1", "Ada", "bam")
    theirs = PaperPrompt(name, templates).question([task], BRIEF)
    ours = Prompt(name).question([task], BRIEF)
    assert not five_word_runs(theirs.user) & five_word_runs(ours.user)


def five_word_runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}


@pytest.mark.parametrize("name", ["paper-single", "paper-batch2"])
def test_an_answer_in_token_lists_becomes_spans(name: str):
    pairs = [["Ada", "B-PER"], ["Obi", "I-PER"], ["saw", "O"], ["Jos", "B-LOC"]]
    answer = {"output": pairs if name == "paper-single" else {"record_0": pairs}}
    reading = Prompt(name).read(json.dumps(answer), "Ada Obi saw Jos", BRIEF.scheme)
    assert reading.alignment.spans == (Span(0, 7, "PER"), Span(12, 15, "LOC"))
