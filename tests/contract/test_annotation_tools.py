"""What the loop relies on in a labelling tool: the fake, real Label Studio, real Argilla."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from argilla_projects import ArgillaDataset, argilla_server

from argilla_pipeline.convert import spans_to_json
from backend.domain import ReviewItem, ReviewKind, Source, SourceKind, Span, Suggestion, Task
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.tool import LabelStudioTool
from backend.testing.in_memory_tool import InMemoryTool
from backend.testing.label_studio_server import LabelStudioServer, initialised_folder

VENVS = Path(__file__).parents[2] / ".venvs"
CONFIG = (
    '<View><Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)
TEXTS = ("Wangari lives in Nairobi .", "Ọbásanjọ́ lọ sí Èkó .", "🌍 Thabo uvela eThekwini .")
WANGARI = Span(0, 7, "PER")
NAIROBI = Span(17, 24, "LOC")
TAGGER = Source(SourceKind.TAGGER, "crf-1")


class InMemoryProject:
    """The fake tool, and what annotators do with it."""

    def __init__(self):
        self.tool = InMemoryTool(Task(str(place), text) for place, text in enumerate(TEXTS, 1))

    def annotate(self, task, spans):
        return self.tool.annotate(task.id, spans).id

    def correct(self, annotation_id, spans):
        self.tool.correct(annotation_id, spans)

    def skip(self, task):
        self.tool.skip(task.id)

    def delete(self, annotation_id):
        self.tool.delete_annotation(annotation_id)

    def served(self):
        return self.tool.next_task().id

    def reviewed(self, link):
        kind = ReviewKind(link.rsplit("/", 1)[1])
        return [(item.task_id, item.reason) for item in self.tool.to_review(kind)]


class LabelStudioProject:
    """A new project of a real server, and what annotators do with it."""

    def __init__(self, server):
        self._client = LabelStudioClient(server.url, server.login.token)
        project = self._client.create_project("contract", CONFIG, sampling="Uncertainty sampling")
        self._id = project["id"]
        self._client.import_tasks(self._id, [{"text": text} for text in TEXTS])
        self.tool = LabelStudioTool.open(self._client, self._id)

    def annotate(self, task, spans):
        return str(self._client.annotate(int(task.id), regions(spans))["id"])

    def correct(self, annotation_id, spans):
        path = f"/api/annotations/{annotation_id}/"
        self._client.http.write("PATCH", path, {"result": regions(spans)})

    def skip(self, task):
        self._client.annotate(int(task.id), [], was_cancelled=True)

    def delete(self, annotation_id):
        self._client.http.write("DELETE", f"/api/annotations/{annotation_id}/")

    def served(self):
        return str(self._client.next_task(self._id)["id"])

    def reviewed(self, link):
        """What the tab behind the link lists, in its order."""
        number = parse_qs(urlsplit(link).query).get("tab", [None])[0]
        if number is None:
            return []
        (view,) = [view for view in self._client.views(self._id) if str(view["id"]) == number]
        key = view["data"]["ordering"][0].removeprefix("tasks:data.")
        rows = self._client.http.get("/api/tasks/", {"view": number, "project": self._id})["tasks"]
        return [(str(row["id"]), row["data"][key].split(" ", 1)[1]) for row in rows]


class ArgillaProject:
    """A new dataset of a real server, and what annotators do with it."""

    def __init__(self, config):
        made = ArgillaDataset(argilla_server(config), TEXTS, ("PER", "LOC"))
        self._client, self.tool = made.client, made.tool

    def annotate(self, task, spans):
        return self._client.respond(task.id, "submitted", self._values(spans))["id"]

    def correct(self, annotation_id, spans):
        self._client.update_response(annotation_id, "submitted", self._values(spans))

    def skip(self, task):
        self._client.respond(task.id, "discarded", {})

    def delete(self, annotation_id):
        self._client.delete_response(annotation_id)

    def served(self):
        return self.tool.queue(1)[0]

    def reviewed(self, link):
        """What the page behind the link asks Argilla for, as its script reads the address."""
        address = urlsplit(link)
        asked = {key: value for key, (value,) in parse_qs(address.query).items()}
        key, lowest, highest = asked["metadata"].split(".")
        assert asked["sort"] == f"metadata.{key}.asc"
        scope = {"entity": "metadata", "metadata_property": key}
        first, last = int(lowest.removeprefix("ge")), int(highest.removeprefix("le"))
        status = {"entity": "response", "property": "status"}
        query = {
            "filters": {
                "and": [
                    {"type": "terms", "scope": status, "values": [asked["status"]]},
                    {"type": "range", "scope": scope, "ge": first, "le": last},
                ]
            },
            "sort": [{"scope": scope, "order": "asc"}],
        }
        dataset = address.path.split("/")[2]
        page, _ = self._client.search(dataset, query, as_annotator=True)
        return [(row["id"], row["metadata"][f"{key}_reason"]) for row in page]

    def _values(self, spans):
        return spans_to_json(spans, self.tool.schema)


def regions(spans):
    return [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": span.start, "end": span.end, "labels": [span.label]},
        }
        for span in spans
    ]


@pytest.fixture(scope="module")
def label_studio_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract") / "data"
    initialised_folder(VENVS / "label-studio", VENVS / "label-studio-data", folder)
    with LabelStudioServer(VENVS / "label-studio", folder) as server:
        yield server


@pytest.fixture(
    params=[
        "memory",
        pytest.param("label-studio", marks=pytest.mark.e2e),
        pytest.param("argilla", marks=pytest.mark.e2e),
    ]
)
def project(request):
    if request.param == "memory":
        return InMemoryProject()
    if request.param == "argilla":
        return ArgillaProject(request.config)
    return LabelStudioProject(request.getfixturevalue("label_studio_server"))


def suggest(project, scores, version="v1"):
    tasks = list(project.tool.tasks())
    return project.tool.suggest(
        [
            Suggestion(task.id, (Span(0, 2, "PER", score),), score, TAGGER)
            for task, score in zip(tasks, scores, strict=False)
        ],
        version,
    )


def test_every_task_is_there_with_its_text_untouched(project):
    assert tuple(task.text for task in project.tool.tasks()) == TEXTS


def test_labelled_tasks_stay_among_the_tasks(project):
    first, *_ = project.tool.tasks()
    project.annotate(first, [WANGARI])
    assert [task.text for task in project.tool.tasks()] == list(TEXTS)


def test_suggesting_says_how_many_were_stored(project):
    assert suggest(project, (0.1, 0.2, 0.3)) == 3


def test_suggesting_again_stores_nothing_twice(project):
    suggest(project, (0.1, 0.2, 0.3))
    assert suggest(project, (0.1, 0.2, 0.3)) == 0


def test_a_push_that_was_cut_off_is_completed(project):
    suggest(project, (0.1,))
    assert suggest(project, (0.1, 0.2, 0.3)) == 2


def test_the_suggestions_of_another_version_are_stored_too(project):
    suggest(project, (0.1, 0.2, 0.3), "v1")
    assert suggest(project, (0.4, 0.5, 0.6), "v2") == 3


def test_a_suggestion_for_a_task_that_is_gone_is_passed_over(project):
    gone = Suggestion("987654321", (), 0.5, TAGGER)
    assert project.tool.suggest([gone], "v1") == 0


def test_progress_ends_with_all_done(project):
    seen = []
    first, *_ = project.tool.tasks()
    project.tool.suggest(
        [Suggestion(first.id, (), 0.5, TAGGER)],
        "v1",
        lambda done, total, _: seen.append((done, total)),
    )
    assert seen[-1] == (1, 1)


def test_without_annotations_nothing_is_accepted(project):
    assert list(project.tool.accepted()) == []


def test_submitted_spans_are_accepted(project):
    first, *_ = project.tool.tasks()
    submitted = project.annotate(first, [NAIROBI, WANGARI])
    (annotation,) = project.tool.accepted()
    assert (annotation.id, annotation.task_id) == (submitted, first.id)
    assert (annotation.spans, annotation.skipped) == ((WANGARI, NAIROBI), False)


def test_an_annotation_without_spans_is_accepted_too(project):
    first, *_ = project.tool.tasks()
    project.annotate(first, [])
    (annotation,) = project.tool.accepted()
    assert (annotation.spans, annotation.skipped) == ((), False)


def test_whoever_annotated_has_a_name(project):
    project.annotate(next(project.tool.tasks()), [])
    (annotation,) = project.tool.accepted()
    assert project.tool.annotators()[annotation.annotator]


def test_a_skip_is_accepted_as_a_skip(project):
    first, *_ = project.tool.tasks()
    project.skip(first)
    (annotation,) = project.tool.accepted()
    assert (annotation.spans, annotation.skipped) == ((), True)


def test_a_corrected_annotation_shows_its_last_spans_and_a_later_time(project):
    first, *_ = project.tool.tasks()
    annotation_id = project.annotate(first, [WANGARI])
    (before,) = project.tool.accepted()
    project.correct(annotation_id, [NAIROBI])
    (after,) = project.tool.accepted()
    assert (after.id, after.spans) == (before.id, (NAIROBI,))
    assert after.updated_at > before.updated_at


def test_a_deleted_annotation_no_longer_stands(project):
    first, second, *_ = project.tool.tasks()
    deleted = project.annotate(first, [WANGARI])
    kept = project.annotate(second, [])
    project.delete(deleted)
    assert [annotation.id for annotation in project.tool.accepted()] == [kept]


def test_the_lowest_score_of_the_current_version_is_served_first(project):
    _, second, _ = project.tool.tasks()
    suggest(project, (0.5, 0.1, 0.9), "v1")
    project.tool.prioritise("v1")
    assert project.served() == second.id


def test_another_version_brings_another_order(project):
    _, _, third = project.tool.tasks()
    suggest(project, (0.5, 0.1, 0.9), "v1")
    suggest(project, (0.5, 0.9, 0.1), "v2")
    project.tool.prioritise("v1")
    project.tool.prioritise("v2")
    assert project.served() == third.id


def test_a_labelled_task_is_not_served_again(project):
    _, second, _ = project.tool.tasks()
    suggest(project, (0.5, 0.1, 0.9))
    project.tool.prioritise("v1")
    project.annotate(second, [])
    assert project.served() != second.id


class TestReviews:
    """What reviewers are shown: labelled tasks, in an order of their own."""

    @pytest.fixture
    def tasks(self, project):
        tasks = list(project.tool.tasks())
        for task in tasks:
            project.annotate(task, [])
        return tasks

    def send(self, project, tasks, reason="look again", kind=ReviewKind.LABEL_ERRORS):
        return project.tool.review(kind, [ReviewItem(task.id, reason) for task in tasks])

    def test_the_tasks_wait_in_the_order_they_were_sent_in(self, project, tasks):
        first, second, third = tasks
        queue = self.send(project, [third, first, second])
        assert [found for found, _ in project.reviewed(queue.link)] == [
            third.id,
            first.id,
            second.id,
        ]
        assert (queue.tasks, queue.left) == (3, 0)

    def test_the_reason_stands_with_each_task(self, project, tasks):
        reason = "'Èkó' is labelled as nothing, expected LOC (believed 1.2%) #1 ~ <b>"
        queue = self.send(project, tasks[1:2], reason)
        assert project.reviewed(queue.link) == [(tasks[1].id, reason)]

    def test_what_is_not_sent_again_leaves_the_queue(self, project, tasks):
        self.send(project, tasks)
        queue = self.send(project, tasks[2:])
        assert [found for found, _ in project.reviewed(queue.link)] == [tasks[2].id]
        assert (queue.tasks, queue.left) == (1, 2)

    def test_sending_again_changes_nothing_but_the_order(self, project, tasks):
        before = self.send(project, tasks)
        after = self.send(project, tasks[::-1])
        assert after == before
        assert [found for found, _ in project.reviewed(after.link)] == [
            task.id for task in tasks[::-1]
        ]

    def test_queues_of_different_kinds_do_not_touch_each_other(self, project, tasks):
        errors = self.send(project, tasks[:2])
        decide = self.send(project, tasks[1:], "ada PER, ben LOC", ReviewKind.ADJUDICATION)
        self.send(project, tasks[:1])
        assert [found for found, _ in project.reviewed(errors.link)] == [tasks[0].id]
        assert project.reviewed(decide.link) == [
            (task.id, "ada PER, ben LOC") for task in tasks[1:]
        ]

    def test_an_empty_queue_is_no_error(self, project, tasks):
        queue = self.send(project, [])
        assert (queue.tasks, project.reviewed(queue.link)) == (0, [])

    def test_a_task_that_is_gone_is_passed_over(self, project, tasks):
        gone = ReviewItem("987654321", "gone")
        kept = ReviewItem(tasks[0].id, "kept")
        queue = project.tool.review(ReviewKind.LABEL_ERRORS, [gone, kept])
        assert queue.tasks == 1
        assert project.reviewed(queue.link) == [(tasks[0].id, "kept")]

    def test_labels_and_texts_are_as_before(self, project, tasks):
        labels = list(project.tool.accepted())
        self.send(project, tasks)
        self.send(project, tasks[:1])
        assert list(project.tool.accepted()) == labels
        assert list(project.tool.tasks()) == tasks

    def test_what_is_still_to_be_labelled_is_served_as_before(self, project):
        first, _, third = project.tool.tasks()
        project.annotate(first, [])
        suggest(project, (0.5, 0.9, 0.1))
        project.tool.prioritise("v1")
        self.send(project, [first])
        assert project.served() == third.id

    def test_progress_ends_with_all_done(self, project, tasks):
        seen = []
        project.tool.review(
            ReviewKind.LABEL_ERRORS,
            [ReviewItem(task.id, "look again") for task in tasks],
            lambda done, total, _: seen.append((done, total)),
        )
        assert seen[-1] == (3, 3)


def test_every_task_has_an_address_of_its_own(project):
    tasks = list(project.tool.tasks())
    assert len({project.tool.task_link(task) for task in tasks}) == len(tasks)
