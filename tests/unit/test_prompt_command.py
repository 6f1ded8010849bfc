import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.commands.prompt import app
from backend.settings import Settings


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, obj=Settings(), env={"COLUMNS": "40"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def templates(tmp_path: Path) -> str:
    path = tmp_path / "templates.json"
    words = {
        "system": "Theirs, {language}.",
        "single": "{examples}{sentence}",
        "batch2": "{inputs}",
    }
    path.write_text(json.dumps(words))
    return str(path)


def test_list_marks_the_configured_prompt():
    lines = run("list").splitlines()
    assert [line[:13] for line in lines if line.startswith("*")] == ["* entities-v2"]
    assert any("per-org-loc-date-v1" in line for line in lines)


def test_show_prints_the_question_about_the_given_texts():
    shown = run("show", "--text", "Ada [bold]ate[/]", "--text", "Obi slept", "--language", "ibo")
    assert "Ada [bold]ate[/]\n" in shown
    assert "Obi slept\n" in shown
    assert "Language: ibo\n" in shown


def test_show_takes_labels_and_guidelines():
    shown = run("show", "entities-v1", "--labels", "Deity, Festival", "--guidelines", "No idols.")
    assert "- Deity\n- Festival\n" in shown
    assert "No idols." in shown


def test_show_can_use_the_papers_own_words(templates: str):
    shown = run("show", "paper-single", "--templates", templates, "--language", "zul")
    assert "Theirs, Zulu." in shown


def test_diff_shows_what_two_prompts_do_not_share():
    lines = run("diff", "entities-v1", "entities-v2").splitlines()
    assert lines[0].startswith("--- entities-v1+")
    assert lines[1].startswith("+++ entities-v2+")
    assert all(line[:1] in {"-", "+", " ", "@"} for line in lines if line)


def test_diff_compares_our_words_with_the_papers(templates: str):
    assert "+Theirs, ." in run("diff", "paper-single", "paper-single", "--templates", templates)


def test_a_prompt_that_does_not_exist_is_an_error_in_a_sentence():
    assert "entities-v2" in run("show", "entities-v0", code=1)
