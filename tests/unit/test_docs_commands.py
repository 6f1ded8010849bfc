"""Every command line and every relative link in the documents is one that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from argilla_pipeline.cli import app as argilla_app
from backend.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PROGRAMS = {"harambee": get_command(app), "harambee-argilla": get_command(argilla_app)}

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}\S[^\n]*\n)+", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
PATH = re.compile(r"^(?:backend|argilla_pipeline|config|docs|docker|tests)/[\w./-]+$")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*$")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def command_lines(document: str) -> Iterator[list[str]]:
    """The words of each command line of ours, in code blocks and within sentences."""
    blocks = [*FENCED.findall(document), *INDENTED.findall(FENCED.sub("", document))]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").split("\n")]
    for line in [*lines, *inline_code(document)]:
        words = shell_words(line)
        while words and (words[0] == "$" or ASSIGNMENT.match(words[0])):
            words.pop(0)
        if words and words[0] in PROGRAMS:
            yield words


def inline_code(document: str) -> list[str]:
    """What stands between backticks within sentences."""
    return INLINE.findall(FENCED.sub("", document))


def shell_words(line: str) -> list[str]:
    """Up to a comment or a sign of the shell; nothing for what is no command line."""
    try:
        words = shlex.split(line.replace(r"\|", "|"), comments=True)
    except ValueError:
        return []
    ends = [at for at, word in enumerate(words) if word in {"&", "&&", ">", "|", "...", "…"}]
    return words[: ends[0]] if ends else words


def problems(words: list[str]) -> Iterator[str]:
    """What of a command line there is not: commands and options."""
    here = PROGRAMS[words[0]]
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            option = next((it for it in here.params if word in it.opts + it.secondary_opts), None)
            if option is None:
                yield f"{here.name} has no option {word}"
            elif not option.is_flag:
                rest = rest[1:]
        elif hasattr(here, "commands"):
            # `setup|push|pull` stands for each of the three.
            unknown = [name for name in word.split("|") if name not in here.commands]
            if unknown:
                yield f"{here.name} has no command {', '.join(unknown)}"
                return
            here = here.commands[word.split("|")[0]]


def anchors(document: str) -> set[str]:
    """The addresses of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", it))
        .lower()
        .replace(" ", "-")
        for it in headings
    }


def broken_links(path: Path) -> Iterator[str]:
    """Relative links to nothing."""
    for link in LINK.findall(FENCED.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place) if place else path
        known = target.exists() and (
            not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
        )
        if not known:
            yield link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
class TestDocuments:
    def test_every_command_line_is_one_that_there_is(self, path):
        document = path.read_text(encoding="utf-8")

        found = {shlex.join(it): list(problems(it)) for it in command_lines(document)}

        assert {line: wrong for line, wrong in found.items() if wrong} == {}

    def test_every_path_is_there(self, path):
        paths = {it for code in inline_code(path.read_text("utf-8")) for it in PATH.findall(code)}

        assert [it for it in sorted(paths) if not (ROOT / it).exists()] == []

    def test_every_relative_link_leads_somewhere(self, path):
        assert list(broken_links(path)) == []


class TestTheCheckItself:
    def test_the_documents_hold_command_lines_in_all_three_forms(self):
        read = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS}

        assert ["harambee", "learn", "--project", "1"] in list(command_lines(read["README.md"]))
        assert ["harambee-argilla", "round"] in list(command_lines(read["argilla.md"]))
        assert ["harambee", "audit", "--project", "7"] in list(command_lines(read["audit.md"]))

    @pytest.mark.parametrize(
        ("line", "wrong"),
        [
            ("harambee fly", "no command fly"),
            ("harambee cost fly", "no command fly"),
            ("harambee crowd --fly", "no option --fly"),
            ("harambee-argilla setup|fly", "no command fly"),
            ("harambee cost report --by day --fly", "no option --fly"),
        ],
    )
    @pytest.mark.parametrize("form", ["`{}`", "```\n$ X=1 {} # no\n```\n", "    {}\n"])
    def test_what_there_is_not_is_found(self, line, wrong, form):
        (words,) = command_lines(form.format(line))

        assert any(wrong in it for it in problems(words))

    @pytest.mark.parametrize(
        "line",
        ["harambee --config FILE", "harambee cost report --by day|model", "harambee serve &"],
    )
    def test_what_there_is_is_not(self, line):
        (words,) = command_lines(f"`{line}`")

        assert list(problems(words)) == []

    @pytest.mark.parametrize("link", ["none.md", "#none", "there.md#none"])
    def test_a_link_to_nothing_is_found(self, tmp_path, link):
        (tmp_path / "there.md").write_text("# Some heading", encoding="utf-8")
        page = tmp_path / "page.md"
        page.write_text(
            f"# This one\n[a]({link}) [b](there.md#some-heading) [c](#this-one)", encoding="utf-8"
        )

        assert list(broken_links(page)) == [link]
