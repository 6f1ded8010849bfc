"""Fine-tuning with real torch: variants, memory, precision, choices on dev, several processes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_transformer import write_tiny_transformer

from backend.domain import Example, LabelScheme, Span
from backend.errors import ConfigurationError, ModelStoreError
from backend.protocols import Explained, SamplingTagger, silent
from backend.settings import TaggerSettings
from backend.tagger.transformer import TransformerFamily

torch = pytest.importorskip("torch", reason="the tagger extra is not installed")
pytest.importorskip("transformers", reason="the tagger extra is not installed")

from backend.tagger import tuning  # noqa: E402 - these need torch
from backend.tagger.devices import Device, find_device  # noqa: E402
from backend.tagger.memory import BatchLimit, fitting  # noqa: E402
from backend.tagger.pretrained import read_base  # noqa: E402
from backend.tagger.teams import train_in_form  # noqa: E402
from backend.tagger.training import TrainingPlan  # noqa: E402
from backend.tagger.training_set import tagged_texts  # noqa: E402
from backend.tagger.variants import Form, TrimmedEmbedding, training_form  # noqa: E402

SCHEME = LabelScheme(("LOC",))
CITIES = ["Lagos", "Accra", "Dakar", "Abuja", "Kumasi", "Ibadan", "Harare", "Lusaka"]
OPENINGS = ["they live in", "she went to", "we met friends in", "rain fell on", "I left"]
CPU = Device("cpu", "this machine")
QUICK = {"kind": "transformer", "epochs": 1, "batch_tokens": 512, "precision": "float32"}


def example(opening, city):
    start = len(opening) + 1
    span = Span(start, start + len(city), "LOC")
    return Example(opening + city, f"{opening} {city} now", (span,))


EXAMPLES = [example(opening, city) for city in CITIES for opening in OPENINGS]
TEXTS = [each.text for each in EXAMPLES[::7]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_transformer(tmp_path_factory.mktemp("tiny"))


def train(base, start=None, examples=EXAMPLES, progress=silent, **options):
    settings = TaggerSettings(base_model=str(base), **{**QUICK, **options})
    rng = np.random.default_rng(0)
    return TransformerFamily(settings).train(examples, SCHEME, rng, progress, start)


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0


def learner(base, steps=3, device=CPU):
    """A model without dropout, and a plan with which it learns the same whoever computes it."""
    torch.manual_seed(0)
    model, encoder = read_base(str(base), SCHEME.labels, 64, device)
    without_dropout(model)
    texts = tagged_texts(EXAMPLES, SCHEME)
    windows = tuning.labelled_windows(texts, encoder, SCHEME)
    plan = TrainingPlan(
        windows=windows,
        pad_id=encoder.pad_id,
        learning_rate=1e-3,
        epochs=1,
        min_steps=steps,
        batch_tokens=512,
        device=device,
        seed=3,
        evaluate=tuning.DevScore(texts, encoder, SCHEME.labels, device),
    )
    return model, plan, encoder


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def trained(base, variant="full", **options):
    model, plan, encoder = learner(base, **options)
    train_in_form(model, plan, Form.of(variant, plan.windows, encoder), silent)
    return model


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def low(request, tiny):
    return train(tiny, precision=request.param, learning_rate=1e-2, min_steps=100)


@pytest.fixture(scope="module")
def first(tiny):
    return train(tiny, min_steps=20)


@pytest.fixture(scope="module")
def tagger(tiny):
    return train(tiny, min_steps=20, learning_rate=1e-3)


class TestVariants:
    @pytest.mark.parametrize("variant", ["full", "trimmed", "frozen", "lora"])
    def test_each_learns_and_can_be_read_without_any_of_it(self, tiny, tmp_path, variant):
        tagger = train(tiny, variant=variant, learning_rate=1e-2, min_steps=100)
        tagger.save(tmp_path)
        read = TransformerFamily(TaggerSettings(precision="float32")).load(tmp_path)

        assert tagger.tag(["they live in Accra now"])[0].spans == (Span(13, 18, "LOC"),)
        assert [one.spans for one in read.tag(TEXTS)] == [one.spans for one in tagger.tag(TEXTS)]

    @pytest.mark.parametrize("variant", ["trimmed", "frozen", "lora"])
    def test_the_form_leaves_no_trace_where_nothing_is_trained(self, tiny, variant):
        model, plan, encoder = learner(tiny)
        before, names = weights(model).clone(), [name for name, _ in model.named_modules()]

        with training_form(model, Form.of(variant, plan.windows, encoder)):
            pass

        assert torch.equal(weights(model), before)
        assert [name for name, _ in model.named_modules()] == names
        assert all(weight.requires_grad for weight in model.parameters())

    def test_trimming_changes_nothing_but_the_decay_of_unused_rows(self, tiny):
        full, trimmed = trained(tiny, "full"), trained(tiny, "trimmed")

        assert torch.allclose(weights(full), weights(trimmed), atol=1e-5)
        assert not torch.equal(weights(full), weights(learner(tiny)[0]))

    def test_pieces_that_did_not_occur_keep_their_pretrained_rows(self, tiny):
        model, plan, encoder = learner(tiny)
        before = model.get_input_embeddings().weight.detach().clone()
        form = Form.of("trimmed", plan.windows, encoder)

        train_in_form(model, plan, form, silent)

        after = model.get_input_embeddings().weight.detach()
        unused = [piece for piece in range(len(before)) if piece not in form.pieces]
        unused.remove(form.unknown)
        assert unused
        assert torch.equal(after[unused], before[unused])
        assert not torch.equal(after, before)

    @given(st.frozensets(st.integers(0, 19)), st.integers(0, 19), st.sampled_from([None, 0, 7]))
    def test_a_trimmed_table_reads_as_the_whole_one(self, kept, unknown, pad):
        whole = torch.nn.Embedding(20, 3, padding_idx=pad)
        trimmed = TrimmedEmbedding(whole, kept, unknown)
        every = torch.arange(20)

        read = trimmed(every)

        stood_for = torch.tensor([p if p in kept else unknown for p in range(20)])
        assert torch.equal(read, whole(stood_for))
        assert torch.equal(whole.weight[trimmed.kept], trimmed.weight)
        assert len(trimmed.weight) == len(kept | {unknown})

    def test_an_unexpected_piece_is_read_as_the_unknown_one_while_trimmed(self):
        whole = torch.nn.Embedding(10, 4)
        trimmed = TrimmedEmbedding(whole, {3, 5}, unknown=1)

        read = trimmed(torch.tensor([5, 9, 3]))

        assert torch.equal(read, whole(torch.tensor([5, 1, 3])))
        assert trimmed.weight.shape == (3, 4)

    def test_frozen_trains_no_embedding(self, tiny):
        model, plan, encoder = learner(tiny)
        before = [weight.clone() for weight in model.base_model.embeddings.parameters()]

        train_in_form(model, plan, Form.of("frozen", plan.windows, encoder), silent)

        after = model.base_model.embeddings.parameters()
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))

    def test_lora_trains_few_weights(self, tiny):
        model, plan, encoder = learner(tiny)
        head = {id(weight) for weight in model.classifier.parameters()}

        with training_form(model, Form.of("lora", plan.windows, encoder)):
            names = {
                n for n, w in model.named_parameters() if w.requires_grad and id(w) not in head
            }
            assert all(weight.requires_grad for weight in model.classifier.parameters())

        assert names
        assert all("lora_" in name for name in names)


class _Card:
    """Lets a model compute no more than so many pieces at a time, as a full card would."""

    def __init__(self, model, pieces):
        self.refused = 0
        self._pieces = pieces
        model.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, module, args, kwargs):
        if kwargs["input_ids"].numel() > self._pieces:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory")


class TestMemory:
    def test_training_goes_on_in_halves_to_the_same_weights(self, tiny):
        roomy = trained(tiny)
        model, plan, encoder = learner(tiny)
        card = _Card(model, 150)

        form = Form.of("full", plan.windows, encoder)
        train_in_form(model, replace(plan, evaluate=None), form, silent)

        assert card.refused == 2
        assert torch.allclose(weights(model), weights(roomy), atol=1e-5)

    def test_tagging_goes_on_in_halves_to_the_same_answers(self, tiny):
        tagger = train(tiny, min_steps=1, learning_rate=1e-4)
        before = tagger.tag([each.text for each in EXAMPLES])
        card = _Card(tagger.model, 100)

        after = tagger.tag([each.text for each in EXAMPLES])

        assert card.refused
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)

    def test_a_single_text_that_does_not_fit_says_what_to_do(self, tiny):
        tagger = train(tiny, min_steps=1, learning_rate=1e-4)
        _Card(tagger.model, 10)

        with pytest.raises(ConfigurationError, match=r"tagger\.max_pieces"):
            tagger.tag(TEXTS)

    @pytest.mark.parametrize(
        "message", ["MPS backend out of memory", "DefaultCPUAllocator: can't allocate memory"]
    )
    def test_devices_without_an_error_of_their_own_are_understood(self, message):
        def attempt(parts):
            if len(parts) == 1:
                raise RuntimeError(message)
            return sorted(row for part in parts for row in part)

        assert fitting(attempt, [8, 8, 8, 8], BatchLimit(64)) == [0, 1, 2, 3]

    def test_other_errors_are_not_mistaken_for_it(self):
        def attempt(parts):
            raise RuntimeError("shapes do not match")

        with pytest.raises(RuntimeError, match="shapes"):
            fitting(attempt, [8, 8], BatchLimit(64))


class TestPrecision:
    def test_it_learns(self, low):
        assert low.tag(["they live in Accra now"])[0].spans == (Span(13, 18, "LOC"),)

    def test_an_answer_does_not_depend_on_what_else_is_asked(self, low):
        texts = ["she went to Lagos now", "rain fell on Lusaka now " * 2, "Dakar"]

        for text, tagging in zip(texts, low.tag(texts), strict=True):
            np.testing.assert_array_equal(low.tag([text])[0].probabilities, tagging.probabilities)

    def test_weights_are_kept_in_float32(self, low, tmp_path):
        low.save(tmp_path)

        assert {weight.dtype for weight in low.model.parameters()} == {torch.float32}

    def test_float16_needs_its_gradients_scaled(self):
        assert Device("cpu", "any", torch.float16).gradient_scaler().is_enabled()
        assert not Device("cpu", "any", torch.bfloat16).gradient_scaler().is_enabled()

    def test_a_device_that_is_not_there_is_refused(self):
        absent = "mps" if not torch.backends.mps.is_available() else "cuda"

        with pytest.raises(ConfigurationError, match=r"tagger\.device"):
            find_device(TaggerSettings(device=absent))

    def test_the_device_says_what_it_is(self):
        found = find_device(TaggerSettings(device="cpu", precision="bfloat16"))

        assert found.describe().startswith("cpu (")
        assert found.describe().endswith("), bfloat16")


class TestChoices:
    def test_three_rates_are_tried_and_the_best_is_kept(self, first):
        scores = {one["learning_rate"]: one["dev_f1"] for one in first.about["trials"]}

        assert len(scores) == 3
        assert first.about["chosen"]["dev_f1"] == max(scores.values())

    def test_the_tagger_kept_is_the_one_that_was_measured(self, first):
        texts = tagged_texts(EXAMPLES, SCHEME)
        dev = tuning.carve_dev(texts)[1]
        score = tuning.DevScore(dev, first.encoder, SCHEME.labels, CPU)

        assert score(first.model) == pytest.approx(first.about["chosen"]["dev_f1"])

    def test_the_choice_is_saved_with_the_tagger(self, first, tmp_path):
        first.save(tmp_path)

        read = TransformerFamily(TaggerSettings(precision="float32")).load(tmp_path)
        assert json.dumps(read.about) == json.dumps(first.about)

    def test_a_rate_that_was_not_searched_for_is_not_counted_as_such(self, tiny, first):
        fixed = train(tiny, min_steps=1, learning_rate=1e-4)

        assert fixed.about["rates_searched_with"] == 0
        assert first.about["rates_searched_with"] == first.about["training_texts"]

    def test_the_choice_is_explained_to_the_loop(self, first):
        rate, score = (first.about["chosen"][key] for key in ("learning_rate", "dev_f1"))

        assert isinstance(first, Explained)
        assert first.remark == f"learning rate {rate:g} from scratch, dev F1 {score:.3f}, best of 3"
        assert json.loads(json.dumps(first.history))["transformer"]["chosen"]["dev_f1"] == score

    def test_the_next_training_takes_the_rate_over_and_tries_both_starts(self, tiny, first):
        before = weights(first.model).clone()

        second = train(tiny, start=first, min_steps=20)

        rate = first.about["chosen"]["learning_rate"]
        tried = [(one["learning_rate"], one["start"]) for one in second.about["trials"]]
        assert tried == [(rate, "scratch"), (rate, "last")]
        assert torch.equal(weights(first.model), before)

    def test_going_on_from_the_last_model_starts_where_it_ended(self, tiny, first):
        again = train(tiny, start=first, min_steps=1, learning_rate=1e-9)

        trials = {one["start"]: one["dev_f1"] for one in again.about["trials"]}
        assert trials["last"] == pytest.approx(first.about["chosen"]["dev_f1"])

    def test_a_model_of_another_make_is_not_gone_on_from(self, tiny, first, tmp_path):
        other_base = write_tiny_transformer(tmp_path / "other")

        tagger = train(other_base, start=first, min_steps=1, learning_rate=1e-4)

        assert [one["start"] for one in tagger.about["trials"]] == ["scratch"]

    def test_progress_counts_all_trainings_together(self, tiny):
        seen = []

        train(tiny, min_steps=2, progress=lambda done, total, what="": seen.append((done, total)))

        assert [done for done, _ in seen] == list(range(1, 7))
        assert seen[-1] == (6, 6)

    def test_an_interruption_ends_it(self, tiny):
        def stop(done, total, what=""):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(tiny, progress=stop)


class TestDropoutPasses:
    def test_there_is_one_tagging_per_pass_and_text(self, tagger):
        assert isinstance(tagger, SamplingTagger)
        passes = tagger.sample(TEXTS, 3, np.random.default_rng(0))

        assert [len(each) for each in passes] == [len(TEXTS)] * 3
        for tagging in passes[0]:
            np.testing.assert_allclose(tagging.probabilities.sum(axis=1), 1, atol=1e-6)

    def test_passes_differ_and_the_generator_decides_how(self, tagger):
        def sample(seed):
            passes = tagger.sample(TEXTS[:1], 2, np.random.default_rng(seed))
            return np.stack([each[0].probabilities for each in passes])

        assert not np.array_equal(*sample(0))
        np.testing.assert_array_equal(sample(0), sample(0))
        assert not np.array_equal(sample(0), sample(1))

    def test_they_change_no_later_answer(self, tagger):
        before = tagger.tag(TEXTS)

        tagger.sample(TEXTS, 1, np.random.default_rng(0))

        for one, other in zip(before, tagger.tag(TEXTS), strict=True):
            np.testing.assert_array_equal(one.probabilities, other.probabilities)

    @pytest.mark.parametrize(("texts", "passes"), [([], 2), (["Lagos"], 0), ([""], 1)])
    def test_there_may_be_nothing_to_say(self, tagger, texts, passes):
        members = tagger.sample(texts, passes, np.random.default_rng(0))

        assert [len(each) for each in members] == [len(texts)] * passes


class TestSeveralProcesses:
    def test_two_take_the_steps_that_one_would(self, tiny):
        alone = trained(tiny)
        model, plan, encoder = learner(tiny)
        seen = []

        together, outcome = train_in_form(
            model,
            plan,
            Form.of("trimmed", plan.windows, encoder),
            lambda *report: seen.append(report),
            processes=2,
        )

        assert torch.allclose(weights(together), weights(alone), atol=1e-5)
        assert (outcome.steps, seen[-1]) == (3, (3, 3, "steps"))


class TestBaseModels:
    def test_a_folder_that_is_not_there_is_told_from_a_hub_that_is_not(self, tmp_path, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

        with pytest.raises(ConfigurationError, match="There is no such folder"):
            train(tmp_path / "absent")
        with pytest.raises(ConfigurationError, match="hub can be reached"):
            train("nobody/has-this-model")

    def test_a_folder_without_a_model_says_what_it_needs(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"config\.json"):
            train(tmp_path)

    def test_a_tagger_of_a_later_format_is_refused(self, tiny, tmp_path):
        train(tiny, min_steps=1, learning_rate=1e-4).save(tmp_path)
        (tmp_path / "tagger.json").write_text('{"format": 99}', encoding="utf-8")

        with pytest.raises(ModelStoreError, match="format 99"):
            TransformerFamily(TaggerSettings()).load(tmp_path)
