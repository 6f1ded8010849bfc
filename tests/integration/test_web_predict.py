"""What Label Studio gets from ``/predict``: one answer per task, in order, exact and in time."""

import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import numpy as np
import pytest
import requests
from web_backend import CONFIG, LABELS, PLACES, WebBackend, label_config, raw_task

from backend.domain import LabelScheme
from backend.samples import LABELS as SAMPLE_LABELS
from backend.samples import sample_texts
from backend.store.suggestions import SqlSuggestionRecords
from backend.tagger.crf import CrfFamily
from backend.testing.scripted_llm import ScriptedLlm
from backend.testing.taggers import FakeTagger, FakeTaggerFamily
from backend.text.spans import Mention

SAMPLE_CONFIG = label_config(SAMPLE_LABELS)
SENTENCE = "Thandi uphila eÌbàdàn, hhayi Kisumu."
MEGABYTE = 2**20
HARD_TEXTS = {
    "nothing": "",
    "white space": " \t\n\u00a0\u2003 ",
    "emoji and joiners": "🎉 Thandi 👩🏾‍👩🏾‍👧🏾 yu Kisumu 🇰🇪!",
    "decomposed Yoruba": unicodedata.normalize("NFD", "Adé lọ sí Ìbàdàn ní ọjọ́ Ajé, Thandi."),
    "Windows line ends": "Thandi\r\nlọ sí\r\n\r\nKisumu\r\n",
    "a byte order mark": "\ufeffThandi",
    "control characters": "Thandi\x07\u200b\u202eKisumu",
    "two directions": "Thandi في Kisumu",
    "entities": "Thandi &amp; <b>Kisumu</b>",
}


class SlowFamily(FakeTaggerFamily):
    """Loads taggers that take their time for every batch."""

    kind = "slow"
    seconds = 0.05

    def load(self, folder):
        loaded = super().load(folder)
        return SlowTagger(loaded.lexicon, loaded.labels)


class SlowTagger(FakeTagger):
    kind = "slow"

    def tag(self, texts, *progress):
        time.sleep(SlowFamily.seconds)
        return super().tag(texts, *progress)


@pytest.fixture
def backend(tmp_path):
    with WebBackend(tmp_path) as backend:
        yield backend


@pytest.fixture
def project(backend):
    """A project in which a tagger serves."""
    project = backend.know()
    backend.teach(project)
    return project


@pytest.fixture(scope="module")
def crf_backend(tmp_path_factory):
    """A backend with a CRF that has learnt the sample corpus."""
    examples = [example for _, example in sample_texts()]
    scheme = LabelScheme(SAMPLE_LABELS)
    with WebBackend(tmp_path_factory.mktemp("crf")) as backend:
        tagger = CrfFamily().train(examples, scheme, np.random.default_rng(0))
        backend.teach(backend.know(config=SAMPLE_CONFIG), tagger=tagger)
        yield backend


def mentions(result):
    return [region["value"]["text"] for region in result["result"]]


def assert_exact(result, text):
    """Every region's offsets cut its own text out of the task's."""
    for region in result["result"]:
        value = region["value"]
        assert text[value["start"] : value["end"]] == value["text"] != ""


class TestOneResultPerTask:
    @pytest.mark.parametrize("how_many", [0, 1, 500, 5000])
    def test_as_many_results_as_tasks_come_back_in_order_with_exact_offsets(
        self, crf_backend, how_many
    ):
        texts = list(islice(cycle(example.text for _, example in sample_texts()), how_many))
        tasks = [raw_task(number, text) for number, text in enumerate(texts)]

        results = crf_backend.results(tasks, config=SAMPLE_CONFIG)

        assert len(results) == how_many
        for result, text in zip(results, texts, strict=True):
            assert_exact(result, text)

    def test_results_stand_in_the_order_of_the_tasks_whatever_their_ids(self, backend, project):
        tasks = [raw_task(9, "Kisumu"), raw_task(2, "nobody"), raw_task(5, "Thandi")]

        results = backend.results(tasks)

        assert [mentions(result) for result in results] == [["Kisumu"], [], ["Thandi"]]

    def test_a_task_that_is_sent_twice_is_answered_twice(self, backend, project):
        results = backend.results([raw_task(1, "Kisumu"), raw_task(1, "Kisumu")])

        assert [mentions(result) for result in results] == [["Kisumu"], ["Kisumu"]]

    def test_every_result_carries_the_serving_version_and_a_score_in_the_unit_interval(
        self, backend, project
    ):
        results = backend.results([raw_task(1, SENTENCE), raw_task(2, "")])

        assert {result["model_version"] for result in results} == {"harambee-v1"}
        assert all(0 <= result["score"] <= 1 for result in results)


class TestHardTexts:
    @pytest.mark.parametrize("text", ["Thandi \ud83d Kisumu", "Thandi \x00 Kisumu"])
    def test_a_text_that_no_database_takes_is_answered_with_nothing(self, backend, project, text):
        results = backend.results([raw_task(1, text), raw_task(2, "Thandi")])

        assert [len(result["result"]) for result in results] == [0, 1]

    @pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
    def test_offsets_count_code_points_of_the_untouched_text(self, backend, project, text):
        (result,) = backend.results([raw_task(1, text)])

        assert_exact(result, text)
        known = sum(text.count(word) for word in PLACES)
        assert len(result["result"]) == known

    @pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
    def test_a_trained_crf_answers_them_too(self, crf_backend, text):
        (result,) = crf_backend.results([raw_task(1, text)], config=SAMPLE_CONFIG)

        assert_exact(result, text)

    def test_a_megabyte_of_text_is_one_task_like_any_other(self, crf_backend):
        sentence = sample_texts()[0][1].text + " "
        text = sentence * (MEGABYTE // len(sentence))

        first, second = crf_backend.results(
            [raw_task(1, text), raw_task(2, sentence)], config=SAMPLE_CONFIG
        )

        assert len(first["result"]) > 1000
        assert_exact(first, text)
        assert_exact(second, sentence)

    @pytest.mark.parametrize(
        "unreadable",
        [
            {"id": 2, "data": {"other": "Kisumu"}},
            {"id": 2, "data": {"text": 7}},
            {"id": 2, "data": {"text": None}},
            {"id": 2, "data": {"text": ["Kisumu"]}},
            {"id": 2, "data": "Kisumu"},
            {"id": 2},
            {"data": {"text": "Kisumu"}},
            {"id": "2; DROP TABLE task", "data": {"text": "Kisumu"}},
            {},
        ],
        ids=lambda raw: str(raw)[:40],
    )
    def test_a_task_without_a_readable_text_is_answered_empty_and_the_others_as_ever(
        self, backend, project, unreadable
    ):
        results = backend.results([raw_task(1, "Kisumu"), unreadable, raw_task(3, "Thandi")])

        assert [mentions(result) for result in results] == [["Kisumu"], [], ["Thandi"]]


class TestSeveralProjects:
    def test_each_project_is_answered_with_its_own_scheme_text_key_and_tagger(self, backend):
        people = label_config(["PER"], "sentence")
        rivers = label_config(["RIVER"], "caption")
        first, second = backend.know(1, people), backend.know(2, rivers)
        backend.teach(first, tagger=FakeTagger({"Nzoia": "PER"}, ["PER"]))
        backend.teach(second, tagger=FakeTagger({"Nzoia": "RIVER"}, ["RIVER"]))
        task = {"id": 1, "data": {"sentence": "Nzoia", "caption": "Mto Nzoia"}}

        (of_first,) = backend.results([task], "1.1700000000", people)
        (of_second,) = backend.results([task], "2.1700000000", rivers)

        assert of_first["result"][0]["value"] == {
            "start": 0, "end": 5, "text": "Nzoia", "labels": ["PER"],
        }  # fmt: skip
        assert of_second["result"][0]["value"] == {
            "start": 4, "end": 9, "text": "Nzoia", "labels": ["RIVER"],
        }  # fmt: skip

    def test_a_label_that_was_removed_from_the_config_is_no_longer_suggested(
        self, backend, project
    ):
        (result,) = backend.results([raw_task(1, SENTENCE)], config=label_config(["PER"]))

        assert mentions(result) == ["Thandi"]


class TestUnusableRequests:
    @pytest.mark.parametrize(
        ("config", "hint"),
        [
            ("<View><Image name='i' value='$i'/></View>", "For named entities it needs"),
            ("<View", "not well-formed XML"),
            ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>', "DTD"),
            (None, "'label_config'"),
        ],
    )
    def test_an_unknown_labelling_config_is_refused_with_what_it_lacks(self, backend, config, hint):
        response = backend.predict([raw_task(1, "Kisumu")], config=config)

        assert response.status_code == 400
        assert hint in response.json["error"]

    def test_a_refused_config_neither_makes_a_project_known_nor_replaces_the_good_one(
        self, backend, project
    ):
        backend.predict([], project="1.170", config="<View/>")
        backend.predict([], project="2.170", config="<View/>")

        assert [known.label_config for known in backend.services.projects.all()] == [CONFIG]

    @pytest.mark.parametrize("tasks", [None, "all", {"id": 1}, [1], [[]], [None]])
    def test_tasks_that_are_no_list_of_objects_are_refused(self, backend, tasks):
        response = backend.predict(tasks)

        assert response.status_code == 400
        assert "'tasks'" in response.json["error"]


class TestBeforeAnyModel:
    def test_results_are_empty_under_another_version_than_the_one_setup_names(self, backend):
        results = backend.results([raw_task(1, SENTENCE), raw_task(2, "")])
        setup = backend.post("/setup", {"project": "1.170", "schema": CONFIG}).json

        assert [result["result"] for result in results] == [[], []]
        assert setup["model_version"] not in {result["model_version"] for result in results}

    def test_no_version_is_taken_by_an_empty_answer(self, backend):
        project = backend.know()

        backend.results([raw_task(1, SENTENCE)])

        assert SqlSuggestionRecords(backend.services.database, project.id).serving_version() is None


class TestDeadline:
    @pytest.fixture
    def slow_backend(self, tmp_path):
        server = {"predict_deadline_seconds": SlowFamily.seconds / 2}
        with WebBackend(tmp_path, SlowFamily(), server=server) as backend:
            yield backend

    def test_what_a_slow_tagger_does_not_reach_is_answered_empty_and_left_to_a_worker(
        self, slow_backend
    ):
        project = slow_backend.know()
        slow_backend.teach(project, tagger=SlowTagger(PLACES, LABELS))

        results = slow_backend.results([raw_task(number, "Kisumu") for number in range(600)])

        assert len(results) == 600
        assert mentions(results[0]) == ["Kisumu"]
        assert mentions(results[-1]) == []
        assert results[-1]["model_version"] != results[0]["model_version"]
        assert slow_backend.jobs(project) == ["begin"]

    def test_nothing_is_left_to_a_worker_when_all_tasks_were_reached(self, backend, project):
        backend.results([raw_task(number, "Kisumu") for number in range(600)])

        assert backend.jobs(project) == []

    def test_an_llm_that_thinks_longer_is_not_waited_for_and_its_answer_is_kept(self, tmp_path):
        with (
            ScriptedLlm(lambda text: [Mention("Kisumu", "LOC", 1)], seconds=0.5) as llm,
            WebBackend(
                tmp_path, llm=openai(llm), server={"predict_deadline_seconds": 0.1}
            ) as backend,
        ):
            (early,) = backend.results([raw_task(1, "Ninaishi Kisumu.")])
            wait_until(lambda: backend.suggestions(backend.know()).outcomes())
            (later,) = backend.results([raw_task(1, "Ninaishi Kisumu.")])

        assert (mentions(early), mentions(later)) == ([], ["Kisumu"])


class TestSwappingModels:
    def test_no_request_fails_and_no_batch_mixes_models_while_new_ones_are_promoted(
        self, backend, project
    ):
        done = threading.Event()
        tasks = [raw_task(number, "Kisumu") for number in range(20)]

        def ask(url):
            answers = []
            while not done.is_set() or not answers:
                body = {"project": "1.170", "label_config": CONFIG, "tasks": tasks}
                answers.append(requests.post(f"{url}/predict", json=body, timeout=30))
            return answers

        with backend.listening() as url, ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, url) for _ in range(4)]
            for _ in range(10):
                backend.teach(project)
            done.set()
            answers = [answer for asked in asking for answer in asked.result()]

        assert {answer.status_code for answer in answers} == {200}
        for answer in answers:
            regions = [region for result in answer.json()["results"] for region in result["result"]]
            assert len(regions) == len(tasks)
            assert len({region["meta"]["model"] for region in regions}) == 1


class TestWhoseSuggestion:
    def test_what_an_llm_said_of_a_task_is_shown_with_source_model_and_prompt(self, backend):
        project = backend.know()
        backend.remember_llm(project, 1, (0, 6, "PER"))

        (result,) = backend.results([raw_task(1, SENTENCE)])

        assert mentions(result) == ["Thandi"]
        meta = result["result"][0]["meta"]
        assert meta["source"] == "llm"
        assert meta["model"] == "gpt-6-luna"
        assert meta["prompt_version"] == "entities-v1"

    def test_an_llm_suggestion_is_for_its_own_task_and_project_only(self, backend):
        backend.remember_llm(backend.know(1), 1, (0, 6, "PER"))

        of_other_task = backend.results([raw_task(2, SENTENCE)])
        of_other_project = backend.results([raw_task(1, SENTENCE)], "2.170")

        assert mentions(of_other_task[0]) == mentions(of_other_project[0]) == []

    def test_the_tagger_names_itself_in_each_region(self, backend, project):
        (result,) = backend.results([raw_task(1, "Kisumu")])

        assert result["result"][0]["meta"]["source"] == "tagger"
        assert result["result"][0]["meta"]["model"] == "fake-1"

    @pytest.mark.parametrize(("rule", "source"), [("llm", "llm"), ("tagger", "tagger")])
    def test_where_both_have_an_answer_the_configured_one_is_shown(self, tmp_path, rule, source):
        with WebBackend(tmp_path, suggestions={"where_both": rule}) as backend:
            project = backend.know()
            backend.teach(project)
            backend.remember_llm(project, 1, (0, 6, "PER"))

            (result,) = backend.results([raw_task(1, "Kisumu")])

        assert {region["meta"]["source"] for region in result["result"]} == {source}

    def test_a_suggestion_that_outlived_a_change_of_the_text_is_cut_not_misplaced(self, backend):
        backend.remember_llm(backend.know(), 1, (0, 6, "PER"), (20, 26, "LOC"))

        (result,) = backend.results([raw_task(1, "Thandi uphila")])

        assert mentions(result) == ["Thandi"]


class TestAnOpenedTask:
    def test_interactive_pre_annotation_of_one_task_is_answered_from_its_context(
        self, backend, project
    ):
        context = {"result": [{"type": "labels", "value": {"start": 0, "end": 1}}]}

        results = backend.results([raw_task(1, SENTENCE)], login=None, context=context)

        assert [mentions(result) for result in results] == [["Thandi", "Kisumu"]]

    def test_a_task_that_was_never_suggested_for_is_asked_of_the_llm_at_once(self, tmp_path):
        with (
            ScriptedLlm(lambda text: [Mention("Kisumu", "LOC", 1)]) as llm,
            WebBackend(tmp_path, llm=openai(llm)) as backend,
        ):
            (result,) = backend.results([raw_task(1, "Ninaishi Kisumu.")])

        assert mentions(result) == ["Kisumu"]
        assert result["result"][0]["meta"]["source"] == "llm"

    def test_opening_a_task_again_does_not_pay_again(self, tmp_path):
        with (
            ScriptedLlm(lambda text: [Mention("Kisumu", "LOC", 1)]) as llm,
            WebBackend(tmp_path, llm=openai(llm)) as backend,
        ):
            backend.results([raw_task(1, "Ninaishi Kisumu.")])
            backend.results([raw_task(1, "Ninaishi Kisumu.")])

            assert len(llm.calls) == 1

    def test_a_batch_is_no_opened_task_and_costs_nothing(self, tmp_path):
        with (
            ScriptedLlm(lambda text: []) as llm,
            WebBackend(tmp_path, llm=openai(llm)) as backend,
        ):
            backend.results([raw_task(number, f"Kisumu {number}") for number in range(5)])

            assert llm.requests == 0

    def test_an_llm_that_is_down_leaves_the_task_empty_and_answered(self, tmp_path):
        nowhere = {
            "provider": "openai", "openai_api_key": "key", "max_attempts": 1,
            "openai_base_url": "http://127.0.0.1:9/v1",
        }  # fmt: skip
        with WebBackend(tmp_path, llm=nowhere) as backend:
            (result,) = backend.results([raw_task(1, "Ninaishi Kisumu.")])

        assert result["result"] == []


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 s in vain"
        time.sleep(0.02)


def openai(llm):
    """Settings that lead to a scripted provider."""
    return {
        "provider": "openai",
        "openai_api_key": llm.api_key,
        "openai_base_url": llm.openai_url,
    }
