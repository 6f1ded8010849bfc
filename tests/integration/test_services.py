"""What is wired together, and what a worker does with it: no Label Studio, a tool in memory."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from web_backend import LABELS, NOWHERE, WebBackend, label_config, raw_task

from backend.domain import JobKind, JobState, ReviewKind, Span, Task
from backend.errors import ConfigurationError, ToolUnreachableError
from backend.services import FIRST_VERSION
from backend.testing.in_memory_tool import InMemoryTool

SENTENCE = "Thandi uphila eKisumu"
THANDI = Span(0, 6, "PER")


class UnreachableTool(InMemoryTool):
    """Down, until it is told to be up."""

    down = True

    def accepted(self, task_ids=None):
        if self.down:
            raise ToolUnreachableError("The tool cannot be reached.")
        return super().accepted(task_ids)


def tool_with_tasks(kind=InMemoryTool, how_many=6):
    return kind(Task(str(number), f"{SENTENCE} {number}") for number in range(how_many))


@pytest.fixture
def tool():
    return tool_with_tasks()


@pytest.fixture
def backend(tmp_path, tool):
    """A backend whose projects are all in the tool in memory."""
    learning = {"after_labels": 3, "min_labels": 2}
    with WebBackend(tmp_path, tool=tool, learning=learning) as backend:
        yield backend


@pytest.fixture
def project(backend):
    return backend.know()


def work_off(backend):
    """Do the quick jobs that wait, as a worker does."""
    backend.operations.queue.drain("quick")


def tell(backend, project, annotation, action="ANNOTATION_CREATED"):
    backend.services.inbox(project.id).put(action, [annotation.task_id], [annotation.id])


def change_something(tool, random):
    """An annotator submits, corrects or deletes; gives the annotation that a webhook names."""
    standing = list(tool.accepted())
    if len(standing) < 3 or random.random() < 0.4:
        return tool.annotate(str(random.randrange(6)), [THANDI])
    annotation = random.choice(standing)
    if random.random() < 0.5:
        return tool.correct(annotation.id, [])
    tool.delete_annotation(annotation.id)
    return annotation


class TestWithoutAToken:
    @pytest.fixture
    def backend(self, tmp_path):
        with WebBackend(tmp_path) as backend:
            yield backend

    def test_predictions_that_label_studio_asks_for_are_served(self, backend, project):
        backend.teach(project)

        (result,) = backend.results([raw_task(1, SENTENCE)])

        assert [region["value"]["text"] for region in result["result"]] == ["Thandi"]

    @pytest.mark.parametrize(
        "verb",
        [
            lambda tool: tool.tasks(),
            lambda tool: tool.suggest([], "v1"),
            lambda tool: tool.accepted(),
            lambda tool: tool.prioritise("v1"),
            lambda tool: tool.review(ReviewKind.LABEL_ERRORS, []),
        ],
        ids=["tasks", "suggest", "accepted", "prioritise", "review"],
    )
    def test_whatever_needs_the_tool_says_what_to_set(self, backend, project, verb):
        with pytest.raises(ConfigurationError, match="LABEL_STUDIO_API_KEY"):
            verb(backend.services.workspace(project).tool)

    def test_connecting_says_what_to_set_and_leaves_nothing(self, backend):
        with pytest.raises(ConfigurationError, match="LABEL_STUDIO_API_KEY"):
            backend.operations.connect("1")

        assert backend.services.projects.all() == []


class TestProjects:
    def test_each_has_its_own_scheme(self, backend):
        first, second = backend.know(1), backend.know(2, label_config(["RIVER"]))

        schemes = [backend.services.workspace(one).scheme.labels for one in (first, second)]

        assert schemes == [LABELS, ("RIVER",)]

    def test_a_tagger_serves_in_its_own_project_only(self, backend):
        first, second = backend.know(1), backend.know(2)
        backend.teach(first)

        assert backend.services.shelf(first.id).serving() is not None
        assert backend.services.shelf(second.id).serving() is None

    def test_threads_share_one_shelf_and_so_one_model_in_memory(self, backend, project):
        with ThreadPoolExecutor(8) as pool:
            shelves = set(pool.map(lambda _: backend.services.shelf(project.id), range(64)))

        assert len(shelves) == 1

    def test_a_version_is_named_before_anything_was_pushed(self, backend, project):
        assert backend.services.version_of(project) == FIRST_VERSION

    def test_what_one_process_learnt_another_one_knows(self, backend, project, tmp_path):
        backend.teach(project)

        with WebBackend(tmp_path) as restarted:
            assert restarted.services.version_of(project) == "harambee-v1"
            assert restarted.results([raw_task(1, SENTENCE)])[0]["result"]


class TestReadingTheInbox:
    def test_a_label_that_a_webhook_named_is_fetched_from_the_tool(self, backend, project, tool):
        tell(backend, project, tool.annotate("1", [THANDI]))
        backend.operations.tick()

        work_off(backend)

        ((task, annotation),) = backend.tasks(project).labelled()
        assert (task.id, annotation.spans) == ("1", (THANDI,))
        assert backend.services.inbox(project.id).count_waiting() == 0

    def test_a_deletion_that_names_no_task_is_understood(self, backend, project, tool):
        annotation = tool.annotate("1", [THANDI])
        tell(backend, project, annotation)
        backend.operations.tick()
        work_off(backend)
        tool.delete_annotation(annotation.id)
        backend.services.inbox(project.id).put("ANNOTATIONS_DELETED", [], [annotation.id])
        backend.operations.tick()

        work_off(backend)

        assert backend.tasks(project).labelled() == []

    def test_a_hint_that_names_nothing_is_done_with(self, backend, project):
        backend.services.inbox(project.id).put("ANNOTATION_UPDATED", [], [])
        backend.operations.tick()

        work_off(backend)

        assert backend.services.inbox(project.id).count_waiting() == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_hints_in_any_order_repeated_and_late_end_with_what_the_tool_holds(
        self, backend, project, tool, seed
    ):
        random = Random(seed)
        changed = []
        for _ in range(12):
            changed.append(change_something(tool, random))
            tell(backend, project, random.choice(changed))
            backend.operations.tick()
            work_off(backend)
        for annotation in random.sample(changed, len(changed)):
            tell(backend, project, annotation)
        backend.operations.tick()

        work_off(backend)

        standing = sorted(tool.accepted(), key=lambda annotation: annotation.updated_at)
        held = {annotation.task_id: annotation for annotation in standing}
        known = {task.id: annotation for task, annotation in backend.tasks(project).labelled()}
        assert known == held

    def test_while_the_tool_is_down_hints_wait_and_the_job_is_tried_again(self, tmp_path):
        tool = tool_with_tasks(UnreachableTool)
        with WebBackend(tmp_path, tool=tool) as backend:
            project = backend.know()
            tell(backend, project, tool.annotate("1", [THANDI]))
            backend.operations.tick()

            work_off(backend)

            (job,) = backend.services.jobs.recent(project.id)
            assert (job.state, job.message) == (JobState.QUEUED, "The tool cannot be reached.")
            assert backend.services.inbox(project.id).count_waiting() == 1


class TestWhenToLearn:
    def label(self, backend, project, tool, how_many):
        for number in range(how_many):
            tell(backend, project, tool.annotate(str(number), [THANDI]))
        backend.operations.tick()
        work_off(backend)

    def test_enough_new_labels_ask_for_training(self, backend, project, tool):
        self.label(backend, project, tool, 3)

        assert "learn" in backend.jobs(project)

    def test_fewer_do_not(self, backend, project, tool):
        self.label(backend, project, tool, 2)

        assert "learn" not in backend.jobs(project)

    def test_training_makes_a_tagger_serve_and_the_tool_show_its_version(
        self, backend, project, tool
    ):
        self.label(backend, project, tool, 3)
        backend.operations.queue.drain("learning")

        audit, training = backend.services.jobs.recent(project.id)[:2]
        assert (training.kind, training.state) == (JobKind.LEARN, JobState.DONE)
        assert "round 1: promoted (first tagger)" in training.message
        assert (audit.kind, audit.state) == (JobKind.AUDIT, JobState.DONE)
        assert backend.services.shelf(project.id).serving()[0] == 1
        assert backend.services.version_of(project) == tool.version

    def test_training_too_early_ends_in_words_and_promotes_nothing(self, backend, project, tool):
        backend.operations.queue.enqueue(JobKind.LEARN, project.id)
        backend.operations.queue.drain("learning")

        _, training = backend.services.jobs.recent(project.id)
        assert training.state is JobState.DONE
        assert "0 labels to learn from" in training.message
        assert backend.services.shelf(project.id).serving() is None


class TestWhatIsDueByTime:
    def test_a_connected_project_is_compared_with_the_tool(self, backend, project):
        backend.services.projects.mark_connected(project.id)

        backend.operations.tick()

        assert backend.jobs(project) == ["reconcile"]

    def test_a_project_that_was_never_connected_is_left_alone(self, backend, project):
        backend.operations.tick()

        assert backend.jobs(project) == []

    def test_hints_whose_wake_up_was_lost_are_read_all_the_same(self, backend, project, tool):
        tell(backend, project, tool.annotate("1", [THANDI]))

        backend.operations.tick()

        assert backend.jobs(project) == ["inbox"]


def test_jobs_run_at_once_where_they_are_set_to_run_inline(tmp_path):
    unreachable = {"url": NOWHERE, "api_key": "0" * 40}
    with WebBackend(tmp_path, jobs={"inline": True}, label_studio=unreachable) as backend:
        project = backend.know()
        backend.post("/webhook", {"action": "START_TRAINING", "project": {"id": 1}})

        (job,) = backend.services.jobs.recent(project.id)

    assert "cannot be reached" in job.message


@pytest.mark.parametrize(
    ("strategy", "missing"), [("bald", "tagger.kind"), ("llm-disagreement", r"llm\.provider")]
)
def test_a_strategy_that_lacks_what_it_needs_is_refused_at_the_start(tmp_path, strategy, missing):
    with (
        WebBackend(tmp_path, suggestions={"strategy": strategy}) as backend,
        pytest.raises(ConfigurationError, match=missing),
    ):
        backend.services.check()
