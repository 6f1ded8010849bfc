"""``harambee prompt``: what is asked of an LLM, word by word."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from backend.commands.terminal import console, teaching
from backend.domain import LabelScheme, Task
from backend.settings import LlmSettings, Settings

if TYPE_CHECKING:
    from backend.llm.chat import ChatRequest
    from backend.llm.prompt import Prompt

app = typer.Typer(help="Show what is asked of an LLM.", no_args_is_help=True)

SAMPLE_TEXT = "Amina Yusuf went to Kano in June."

TextOption = Annotated[
    list[str] | None,
    typer.Option("--text", help="A text to ask about; may be given several times."),
]
LanguageOption = Annotated[str | None, typer.Option(help="Language of the texts.")]
LabelsOption = Annotated[str, typer.Option(help="Labels, separated by commas.")]
GuidelinesOption = Annotated[
    str | None, typer.Option(help="Name or text of guidelines; default: llm.guidelines.")
]
TemplatesOption = Annotated[
    Path | None,
    typer.Option(help="templates.json of the paper's repository, for paper-single and -batch2."),
]


@app.command("list")
def list_command(context: typer.Context) -> None:
    """List the prompts and guidelines there are, and which of them are configured."""
    from backend.llm.guidelines import (  # noqa: PLC0415 - the other commands start faster
        find_guidelines,
        guideline_names,
    )
    from backend.llm.prompt import Prompt, prompt_names  # noqa: PLC0415 - as above

    settings: Settings = context.obj
    for name in prompt_names():
        prompt = Prompt(name)
        facts = [prompt.version, f"at most {prompt.most_texts} texts a call"]
        facts += ["takes examples"] if prompt.takes_examples else []
        _print(_marked(name == settings.llm.prompt) + ", ".join(facts))
    for name in guideline_names():
        chosen = name == settings.llm.guidelines.strip()
        _print(f"{_marked(chosen)}{find_guidelines(name).version}, guidelines")


@app.command("show")
def show(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Default: llm.prompt.")] = None,
    *,
    text: TextOption = None,
    language: LanguageOption = None,
    labels: LabelsOption = "PER,ORG,LOC,DATE",
    guidelines: GuidelinesOption = None,
    templates: TemplatesOption = None,
) -> None:
    """Show the question about some texts, as it is sent."""
    with teaching():
        llm = _chosen(context, name, guidelines, templates)
        prompt = _prompt(llm)
        asked = _question(prompt, llm, text, language, labels)
        _print(f"# {prompt.version}\n\n{_as_text(asked)}")


@app.command("diff")
def diff(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="A prompt.", show_default=False)],
    second: Annotated[str, typer.Argument(help="Another one.", show_default=False)],
    *,
    text: TextOption = None,
    language: LanguageOption = None,
    labels: LabelsOption = "PER,ORG,LOC,DATE",
    guidelines: GuidelinesOption = None,
    templates: TemplatesOption = None,
) -> None:
    """Show what differs between the questions of two prompts; --templates are of the second."""
    with teaching():
        sides = []
        for name, words in ((first, None), (second, templates)):
            llm = _chosen(context, name, guidelines, words)
            prompt = _prompt(llm)
            asked = _question(prompt, llm, text, language, labels)
            sides.append((prompt.version, _as_text(asked).splitlines()))
        (before, old), (after, new) = sides
        for line in unified_diff(old, new, before, after, lineterm="", n=2):
            _print(line)


def _chosen(
    context: typer.Context, name: str | None, guidelines: str | None, templates: Path | None
) -> LlmSettings:
    """The settings, as far as the options do not say otherwise."""
    settings: Settings = context.obj
    own = name is None and templates is None
    return settings.llm.model_copy(
        update={
            "prompt": name or settings.llm.prompt,
            "guidelines": settings.llm.guidelines if guidelines is None else guidelines,
            "paper_templates": settings.llm.paper_templates if own else templates,
        }
    )


def _prompt(llm: LlmSettings) -> Prompt:
    from backend.llm.factory import chosen_prompt  # noqa: PLC0415 - pulls in the LLM SDKs' transport

    return chosen_prompt(llm)


def _question(
    prompt: Prompt, llm: LlmSettings, texts: list[str] | None, language: str | None, labels: str
) -> ChatRequest:
    from backend.llm.guidelines import find_guidelines  # noqa: PLC0415 - as above
    from backend.llm.prompt import Brief  # noqa: PLC0415 - as above

    scheme = LabelScheme(tuple(part.strip() for part in labels.split(",") if part.strip()))
    brief = Brief(scheme, find_guidelines(llm.guidelines))
    tasks = [
        Task(str(number), text, language) for number, text in enumerate(texts or [SAMPLE_TEXT])
    ]
    return prompt.question(tasks[: prompt.most_texts], brief)


def _as_text(asked: ChatRequest) -> str:
    return f"## system\n\n{asked.system}\n\n## user\n\n{asked.user}"


def _marked(chosen: bool) -> str:
    return "* " if chosen else "  "


def _print(line: str) -> None:
    console.print(Text(line), soft_wrap=True)
