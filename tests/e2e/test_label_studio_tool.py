"""The Label Studio tool and connection against a real Label Studio."""

import unicodedata

import pytest
import requests

from backend.domain import Source, SourceKind, Span, Suggestion
from backend.errors import ToolRefusedError, ToolRejectedError, ToolUnreachableError
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import VIEW_TITLE, BasicAuth, connect, disconnect
from backend.label_studio.labels import parse_label_config
from backend.label_studio.tool import LabelStudioTool

pytestmark = pytest.mark.e2e

TAGGER = Source(SourceKind.TAGGER, "crf-1")
TEXT = "Wangari lives in Nairobi ."
CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
HYPERTEXT = (
    '<View><HyperTextLabels name="label" toName="text"><Label value="PER"/></HyperTextLabels>'
    '<HyperText name="text" value="$text"/></View>'
)


WANGARI = Span(0, 7, "PER", 0.9)


def suggestion(task_id, confidence=0.5, span=WANGARI):
    return Suggestion(str(task_id), (span,), confidence, TAGGER)


def open_tool(client, project, **settings):
    return LabelStudioTool.open(client, project, **settings)


def served(client, project):
    return client.next_task(project)["id"]


def test_connecting_twice_leaves_one_backend_one_webhook_and_one_view(
    client, make_project, stand_in_backend
):
    project, _ = make_project([TEXT])
    connect(client, project, stand_in_backend.url, "v1")
    report = connect(client, project, stand_in_backend.url + "/", "v1")
    assert report.warnings == ()
    assert [backend["title"] for backend in client.ml_backends(project)] == ["v1"]
    assert [hook["id"] for hook in client.webhooks(project)] == [report.webhook_id]
    assert [view["data"]["title"] for view in client.views(project)] == [VIEW_TITLE]


def test_connecting_sets_the_order_of_the_queue(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    connect(client, project, stand_in_backend.url, "v1")
    settings = client.project(project)
    assert settings["sampling"] == "Uncertainty sampling"
    assert settings["show_collab_predictions"] is True
    assert settings["model_version"] == "v1"


def test_connecting_says_what_was_connected(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT, TEXT])
    report = connect(client, project, stand_in_backend.url, "v1")
    assert (report.title, report.labels, report.tasks) == ("a project", ("PER", "LOC"), 2)


def test_the_webhook_carries_the_secret_headers_from_the_first_event(
    client, make_project, stand_in_backend
):
    project, (task,) = make_project([TEXT])
    secret = {"X-Harambee-Secret": "s3cret"}
    connect(client, project, stand_in_backend.url, "v1", webhook_secret_headers=secret)
    client.annotate(task, [])
    calls = stand_in_backend.called("/webhook")
    assert "ANNOTATION_CREATED" in [body["action"] for _, body in calls]
    assert {headers["X-Harambee-Secret"] for headers, _ in calls} == {"s3cret"}


def test_a_webhook_without_headers_is_secured(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    client.create_ml_backend(url=stand_in_backend.url, project=project, title="by hand")
    connect(client, project, stand_in_backend.url, "v1", webhook_secret_headers={"X-S": "1"})
    (hook,) = client.webhooks(project)
    assert hook["headers"] == {"X-S": "1"}


def test_a_backend_behind_basic_auth_is_connected_and_renamed(
    client, make_project, stand_in_backend
):
    stand_in_backend.basic_auth = ("label", "studio")
    project, _ = make_project([TEXT])
    url = stand_in_backend.url
    connect(client, project, url, "v1", credentials=BasicAuth("label", "studio"))
    stand_in_backend.version = "v2"
    open_tool(client, project, backend_url=url).prioritise("v2")
    assert client.project(project)["model_version"] == "v2"


def test_wrong_basic_auth_names_its_variables(client, make_project, stand_in_backend):
    stand_in_backend.basic_auth = ("label", "studio")
    project, _ = make_project([TEXT])
    with pytest.raises(ToolRejectedError, match="BASIC_AUTH_PASS"):
        connect(client, project, stand_in_backend.url, "v1", credentials=BasicAuth("a", "b"))


def test_connecting_without_a_running_web_process_says_so(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    stand_in_backend.stop()
    with pytest.raises(ToolUnreachableError, match="cannot reach harambee"):
        connect(client, project, stand_in_backend.url, "v1")


def test_a_version_is_not_switched_while_the_web_process_is_down(
    client, make_project, stand_in_backend
):
    project, _ = make_project([TEXT])
    connect(client, project, stand_in_backend.url, "v1")
    stand_in_backend.stop()
    with pytest.raises(ToolUnreachableError, match="cannot reach harambee"):
        open_tool(client, project).prioritise("v2")
    assert client.project(project)["model_version"] == "v1"


@pytest.mark.parametrize("switch", ["ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED"])
def test_a_blocked_address_names_both_switches(start_label_studio, stand_in_backend, switch):
    server = start_label_studio(**{switch: "true"})
    strict = LabelStudioClient(server.url, server.login.token)
    project = strict.create_project("strict", HYPERTEXT)["id"]
    with pytest.raises(ToolRejectedError, match=r"ML_BLOCK_LOCAL_IP.*SSRF_PROTECTION_ENABLED"):
        connect(strict, project, stand_in_backend.url, "v1")


def test_another_backend_in_the_project_is_pointed_out(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    other = stand_in_backend.url.replace("127.0.0.1", "localhost")
    client.create_ml_backend(url=other, project=project, title="another")
    report = connect(client, project, stand_in_backend.url, "v1")
    assert [other in warning for warning in report.warnings] == [True]


def test_start_training_reaches_the_backend(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    report = connect(client, project, stand_in_backend.url, "v1")
    client.start_training(report.backend_id)
    actions = [body["action"] for _, body in stand_in_backend.called("/webhook")]
    assert actions[-1] == "START_TRAINING"


def test_projects_are_listed(client, make_project):
    made = {make_project([TEXT])[0] for _ in range(2)}
    assert made <= {project["id"] for project in client.projects()}


def test_disconnecting_removes_backend_and_webhook(client, make_project, stand_in_backend):
    project, _ = make_project([TEXT])
    connect(client, project, stand_in_backend.url, "v1")
    assert disconnect(client, project, stand_in_backend.url) == 2
    assert (client.ml_backends(project), client.webhooks(project)) == ([], [])


def test_a_thousand_suggestions_are_pushed_and_the_least_certain_is_served(
    client, make_project, stand_in_backend
):
    project, tasks = make_project([TEXT] * 1000)
    connect(client, project, stand_in_backend.url, "v1")
    tool = open_tool(client, project)
    pushed = tool.suggest(
        [
            suggestion(task, 0.2 + 0.7 * ((place + 500) % 1000) / 1000)
            for place, task in enumerate(tasks)
        ],
        "v1",
    )
    assert pushed == 1000
    assert tool.versions() == {"v1": 1000}
    assert served(client, project) == tasks[500]


def test_the_view_lists_the_least_certain_first(client, make_project, stand_in_backend):
    project, tasks = make_project([TEXT] * 3)
    connect(client, project, stand_in_backend.url, "v1")
    scores = zip(tasks, (0.5, 0.9, 0.1), strict=True)
    open_tool(client, project).suggest([suggestion(*pair) for pair in scores], "v1")
    (view,) = client.views(project)
    rows = client.http.get("/api/tasks/", {"view": view["id"], "project": project})["tasks"]
    assert [row["id"] for row in rows] == [tasks[2], tasks[0], tasks[1]]


def test_a_push_that_was_cut_off_is_completed_without_doubles(client, make_project):
    project, tasks = make_project([TEXT] * 5)
    tool = open_tool(client, project, push_batch=2)
    tool.suggest([suggestion(task) for task in tasks[:3]], "v1")
    assert tool.suggest([suggestion(task) for task in tasks], "v1") == 2
    assert [len(client.predictions(task)) for task in tasks] == [1] * 5


def test_a_version_that_is_part_of_another_is_not_taken_for_it(client, make_project):
    project, tasks = make_project([TEXT])
    tool = open_tool(client, project)
    tool.suggest([suggestion(tasks[0])], "v10")
    tool.suggest([suggestion(tasks[0])], "v1")
    assert tool.versions() == {"v1": 1, "v10": 1}


def test_a_version_with_a_comma_is_recognised_again(client, make_project):
    project, tasks = make_project([TEXT])
    tool = open_tool(client, project)
    tool.suggest([suggestion(tasks[0])], "a, b")
    assert tool.suggest([suggestion(tasks[0])], "a, b") == 0


def test_a_new_version_reorders_the_queue(client, make_project, stand_in_backend):
    project, (first, second, third) = make_project([TEXT] * 3)
    connect(client, project, stand_in_backend.url, "v1")
    tool = open_tool(client, project, backend_url=stand_in_backend.url)
    scores = {first: 0.1, second: 0.5, third: 0.9}
    tool.suggest([suggestion(task, score) for task, score in scores.items()], "v1")
    before = served(client, project)
    stand_in_backend.version = "v2"
    tool.suggest([suggestion(task, 1 - score) for task, score in scores.items()], "v2")
    tool.prioritise("v2")
    client.annotate(before, [])  # a task that was opened is locked and would be served again
    assert (before, served(client, project)) == (first, third)
    assert client.ml_backends(project)[0]["title"] == "v2"


def test_a_task_deleted_since_it_was_read_keeps_no_other_from_its_suggestion(client, make_project):
    project, tasks = make_project([TEXT] * 3)
    tool = open_tool(client, project)
    assert len(list(tool.tasks())) == 3
    client.http.write("DELETE", f"/api/tasks/{tasks[1]}/")
    assert tool.suggest([suggestion(task) for task in tasks], "v1") == 2
    assert client.task_ids_with_version(project, "v1") == {tasks[0], tasks[2]}


def test_old_predictions_are_deleted_and_current_ones_kept(client, make_project):
    project, tasks = make_project([TEXT])
    tool = open_tool(client, project)
    for version in ("v1", "v2"):
        tool.suggest([suggestion(tasks[0])], version)
    tool.prioritise("v2")
    tool.forget("v1")
    with pytest.raises(ToolRejectedError, match="kept"):
        tool.forget("v2")
    assert tool.versions() == {"v2": 1}


def test_suggestions_that_the_config_no_longer_allows_are_not_lost_in_silence(client, make_project):
    project, tasks = make_project([TEXT] * 3)
    old = parse_label_config(client.project(project)["label_config"])
    client.update_project(
        project, label_config=client.project(project)["label_config"].replace("PER", "NAME")
    )
    tool = LabelStudioTool(client, project, old)
    with pytest.raises(ToolRejectedError, match="0 of 3"):
        tool.suggest([suggestion(task) for task in tasks], "v1")


FARMER = "👩🏾‍🌾 Wangarĩ plants 🌳 in Nyeri ."
DECOMPOSED = unicodedata.normalize("NFD", "Ọjọ́ Ẹtì, Ṣẹ́gun lọ sí Ìbàdàn .")
SEGUN = unicodedata.normalize("NFD", "Ṣẹ́gun")


@pytest.mark.parametrize("config", [CONFIG, HYPERTEXT])
@pytest.mark.parametrize(
    ("text", "mention"),
    [(FARMER, "Wangarĩ"), (DECOMPOSED, SEGUN), ("Two  spaces\tand\nlines before Abuja .", "Abuja")],
)
def test_offsets_survive_the_round_trip(client, make_project, config, text, mention):
    project, (task,) = make_project([text], config=config)
    tool = open_tool(client, project)
    span = Span(text.index(mention), text.index(mention) + len(mention), "PER")
    tool.suggest([suggestion(task, span=span)], "v1")
    client.annotate(task, client.predictions(task)[0]["result"])
    (annotation,) = tool.accepted()
    assert annotation.spans == (span,)


def test_accepted_annotations_are_those_of_the_export(client, make_project):
    project, tasks = make_project([TEXT] * 4)
    client.annotate(tasks[0], [])
    client.annotate(tasks[0], [])
    client.annotate(tasks[1], [], was_cancelled=True)
    client.http.write("DELETE", f"/api/annotations/{client.annotate(tasks[2], [])['id']}/")
    export = client.http.get(f"/api/projects/{project}/export", {"exportType": "JSON"})
    assert {item.id for item in open_tool(client, project).accepted()} == {
        str(item["id"]) for task in export for item in task["annotations"]
    }


def test_the_annotations_of_one_task_can_be_fetched(client, make_project):
    project, (first, second) = make_project([TEXT] * 2)
    client.annotate(first, [])
    client.annotate(second, [], lead_time=4.5)
    (annotation,) = open_tool(client, project).accepted([str(second)])
    assert (annotation.task_id, annotation.lead_time) == (str(second), 4.5)


def personal_access_token(server):
    session = requests.Session()
    session.headers["Authorization"] = f"Token {server.login.token}"
    both = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
    session.post(f"{server.url}/api/jwt/settings", json=both).raise_for_status()
    answer = session.post(f"{server.url}/api/token/")
    answer.raise_for_status()
    return answer.json()["token"]


def test_a_personal_access_token_works_as_the_legacy_one_does(label_studio, client):
    modern = LabelStudioClient(label_studio.url, personal_access_token(label_studio))
    assert modern.whoami()["email"] == client.whoami()["email"]


def test_a_wrong_token_is_refused_without_being_shown(label_studio):
    wrong = "0" * 40
    with pytest.raises(ToolRefusedError) as refusal:
        LabelStudioClient(label_studio.url, wrong).whoami()
    assert wrong not in str(refusal.value)
