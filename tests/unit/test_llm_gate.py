"""Rate limits, circuit breaker and deadline, on a clock that the tests move."""

from threading import Event

import pytest

from backend.domain import Outcome, Usage
from backend.llm.breaker import CircuitBreaker
from backend.llm.chat import ChatRequest, Completion, Failure, Stop
from backend.llm.gate import Gate, Gates, expected_tokens
from backend.llm.rate_limits import RateLimits, TokenBucket
from backend.llm.retries import Deadline

REQUEST = ChatRequest("fixed", "Ada", {"type": "object"}, 100)
DOWN = Failure(Outcome.UNREACHABLE, "HTTP 500", retryable=True)


class Clock:
    """Time that passes only where a test or a wait says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Waiting(Event):
    """An event that nobody sets; waiting for it moves the clock instead."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._clock.now += timeout or 0.0
        return self.is_set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestTokenBucket:
    def test_a_minute_holds_no_more_than_a_minute_s_worth(self, clock):
        bucket = TokenBucket(120, clock)
        turns = []
        for _ in range(121):
            clock.now += bucket.take(1)
            turns.append(clock.now)
        assert turns[-1] - turns[0] >= 59

    def test_calls_are_spread_instead_of_bunched(self, clock):
        bucket = TokenBucket(60, clock)
        assert bucket.take(1) == 0
        assert bucket.take(1) == pytest.approx(1)
        assert bucket.take(1) == pytest.approx(2)

    def test_what_was_not_used_is_there_for_others(self, clock):
        bucket = TokenBucket(600, clock)
        bucket.take(610)
        bucket.give_back(600)
        assert bucket.take(1) == pytest.approx(0.1)

    def test_a_pause_saves_up_no_more_than_a_second(self, clock):
        bucket = TokenBucket(600, clock)
        clock.now += 3600
        assert bucket.take(10) == 0
        assert bucket.take(10) == pytest.approx(1)


class TestRateLimits:
    def test_without_limits_nobody_waits(self, clock):
        assert RateLimits(clock=clock).wait(10**9, Waiting(clock)) == 0

    def test_the_stricter_limit_decides(self, clock):
        limits = RateLimits(6000, 60, clock)
        assert limits.wait(11, Waiting(clock)) == pytest.approx(10)

    def test_our_own_wait_does_not_use_up_the_deadline(self, clock):
        gate = Gate(RateLimits(1, None, clock), CircuitBreaker(clock=clock))
        deadline = Deadline(30, clock)
        gate.refusal(REQUEST, deadline, Waiting(clock))
        assert gate.refusal(REQUEST, deadline, Waiting(clock)) is None
        assert deadline.remaining == pytest.approx(30)

    def test_a_bill_replaces_what_was_expected(self, clock):
        limits = RateLimits(None, 60 * expected_tokens(REQUEST), clock)
        gate = Gate(limits, CircuitBreaker(clock=clock))
        waiting = Waiting(clock)
        for _ in range(2):
            gate.refusal(REQUEST, Deadline(100, clock), waiting)
            gate.note(REQUEST, Completion("{}", Stop.COMPLETE, Usage(0, 0)))
        assert waiting.waits == []

    def test_a_model_has_one_gate_in_a_process(self):
        class Model:
            provider, model = "openai", "gpt-6-luna"

        gates = Gates(60, None)
        assert gates.to(Model()) is gates.to(Model())


class TestCircuitBreaker:
    def breaker(self, clock: Clock) -> CircuitBreaker:
        breaker = CircuitBreaker(3, first_pause_seconds=2, longest_pause_seconds=5, clock=clock)
        for _ in range(3):
            breaker.note(worked=False)
        return breaker

    def test_it_opens_after_failures_in_a_row(self, clock):
        breaker = CircuitBreaker(3, clock=clock)
        for worked in (False, False, True, False, False):
            breaker.note(worked=worked)
        assert not breaker.is_open
        breaker.note(worked=False)
        assert breaker.is_open

    def test_an_open_circuit_lets_one_trial_through_per_pause(self, clock):
        breaker, waiting = self.breaker(clock), Waiting(clock)
        assert breaker.admit(100, waiting)
        assert waiting.waits == [2]
        assert not breaker.admit(1, waiting)

    def test_the_pause_doubles_up_to_a_limit_while_trials_fail(self, clock):
        breaker, waiting = self.breaker(clock), Waiting(clock)
        for _ in range(4):
            breaker.admit(100, waiting)
            breaker.note(worked=False)
        assert waiting.waits == [2, 4, 5, 5]

    def test_a_success_closes_it(self, clock):
        breaker, waiting = self.breaker(clock), Waiting(clock)
        breaker.admit(100, waiting)
        breaker.note(worked=True)
        assert breaker.admit(0, waiting)

    def test_who_cannot_wait_that_long_is_told_so_and_sends_nothing(self, clock):
        gate = Gate(breaker=self.breaker(clock))
        refusal = gate.refusal(REQUEST, Deadline(1, clock), Waiting(clock))
        assert refusal is not None
        assert (refusal.outcome, refusal.retryable) == (Outcome.UNREACHABLE, False)

    def test_an_answer_that_is_of_no_use_speaks_for_a_healthy_provider(self, clock):
        breaker = CircuitBreaker(1, clock=clock)
        Gate(breaker=breaker).note(REQUEST, Failure(Outcome.INVALID, "no JSON", retryable=True))
        assert not breaker.is_open
        Gate(breaker=breaker).note(REQUEST, DOWN)
        assert breaker.is_open
