"""The job table: asked for once, done by one worker at a time, and never lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import processes
import pytest
from sqlalchemy import func, select

from backend.domain import Job, JobKind, JobState
from backend.errors import StoreError
from backend.store.database import Database
from backend.store.jobs import SqlJobTable
from backend.store.projects import Project, Projects
from backend.store.schema import JobRow

QUICK = (JobKind.INBOX, JobKind.RECONCILE)
LEARNING = (JobKind.BEGIN, JobKind.LEARN)
LONG = 1000.0
EXPIRED = -1.0


@pytest.fixture
def jobs(database: Database) -> SqlJobTable:
    return SqlJobTable(database)


@pytest.fixture
def claim(jobs: SqlJobTable) -> Callable[..., Job]:
    """Claims a job that has to be there."""

    def claimed(lease_seconds: float = LONG) -> Job:
        job = jobs.claim(LEARNING, lease_seconds)
        assert job is not None
        return job

    return claimed


def stored(jobs: SqlJobTable, project: Project) -> Job:
    return jobs.recent(project.id, 1)[0]


class TestEnqueue:
    def test_a_job_that_waits_is_not_asked_for_again(
        self, jobs: SqlJobTable, project: Project
    ) -> None:
        numbers = [jobs.enqueue(JobKind.LEARN, project.id) for _ in range(3)]

        assert len(set(numbers)) == 1

    def test_other_kinds_and_other_projects_have_jobs_of_their_own(
        self, jobs: SqlJobTable, project: Project, other_project: Project
    ) -> None:
        asked = [
            (JobKind.LEARN, project.id),
            (JobKind.BEGIN, project.id),
            (JobKind.LEARN, other_project.id),
        ]

        assert len({jobs.enqueue(*which) for which in asked}) == 3

    def test_a_job_that_runs_already_is_asked_for_again(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        first = jobs.enqueue(JobKind.LEARN, project.id)
        claim()

        assert jobs.enqueue(JobKind.LEARN, project.id) != first

    def test_many_who_ask_at_once_get_one_job(self, jobs: SqlJobTable, project: Project) -> None:
        with ThreadPoolExecutor(8) as pool:
            numbers = pool.map(lambda _: jobs.enqueue(JobKind.INBOX, project.id), range(32))

        assert len(set(numbers)) == 1

    def test_a_job_of_an_unknown_project_is_refused(self, jobs: SqlJobTable) -> None:
        with pytest.raises(StoreError):
            jobs.enqueue(JobKind.LEARN, 404)


class TestClaim:
    def test_there_is_nothing_to_claim_at_first(self, jobs: SqlJobTable) -> None:
        assert jobs.claim(QUICK, LONG) is None

    def test_the_oldest_job_is_first(
        self, jobs: SqlJobTable, project: Project, other_project: Project
    ) -> None:
        jobs.enqueue(JobKind.LEARN, other_project.id)
        jobs.enqueue(JobKind.LEARN, project.id)

        claimed = [jobs.claim(LEARNING, LONG) for _ in range(2)]

        assert [job and job.project_id for job in claimed] == [other_project.id, project.id]

    def test_a_lane_takes_only_its_own_kinds(self, jobs: SqlJobTable, project: Project) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)

        assert jobs.claim(QUICK, LONG) is None

    def test_a_claimed_job_is_not_claimed_again(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        claim()

        assert jobs.claim(LEARNING, LONG) is None

    def test_jobs_of_one_project_and_lane_wait_for_each_other(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.BEGIN, project.id)
        jobs.enqueue(JobKind.LEARN, project.id)
        first = claim()
        meanwhile = jobs.claim(LEARNING, LONG)

        jobs.finish(first, JobState.DONE, "")

        assert meanwhile is None
        assert claim().kind is JobKind.LEARN

    def test_the_lanes_of_a_project_do_not_wait_for_each_other(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        jobs.enqueue(JobKind.INBOX, project.id)
        claim()

        assert jobs.claim(QUICK, LONG) is not None

    def test_many_workers_never_hold_two_jobs_of_a_project(
        self, jobs: SqlJobTable, project: Project, other_project: Project
    ) -> None:
        for number in (project.id, other_project.id):
            for kind in LEARNING:
                jobs.enqueue(kind, number)

        with ThreadPoolExecutor(8) as pool:
            claimed = list(pool.map(lambda _: jobs.claim(LEARNING, LONG), range(16)))

        held = sorted(job.project_id for job in claimed if job)
        assert held == [project.id, other_project.id]


class TestLease:
    def test_a_job_at_which_every_worker_dies_is_given_up(
        self, jobs: SqlJobTable, project: Project
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)

        deaths = 0
        while jobs.claim(LEARNING, EXPIRED):
            deaths += 1

        assert deaths == 5
        assert stored(jobs, project).state is JobState.FAILED
        assert "5 workers died" in stored(jobs, project).message

    def test_a_job_that_had_to_wait_often_is_not_given_up(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        for _ in range(9):
            jobs.postpone(claim(), 0.0, "the tool is down")

        assert claim(EXPIRED).fence == 10
        assert claim().fence == 11

    def test_an_expired_lease_is_taken_over_with_a_higher_fence(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        lost = claim(EXPIRED)

        taken_over = claim()

        assert taken_over.id == lost.id
        assert taken_over.fence > lost.fence

    def test_a_renewed_lease_is_not_taken_over(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        job = claim(EXPIRED)

        assert jobs.renew(job, LONG)
        assert jobs.claim(LEARNING, LONG) is None

    def test_whoever_lost_a_job_cannot_renew_report_or_end_it(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        lost = claim(EXPIRED)
        claim()

        assert not jobs.renew(lost, LONG)
        assert not jobs.report(lost, 1, 2, "training")
        jobs.finish(lost, JobState.FAILED, "in vain")
        jobs.postpone(lost, 0, "in vain")
        now = stored(jobs, project)
        assert (now.state, now.done, now.message) == (JobState.RUNNING, 0, "")

    def test_progress_can_be_read(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)

        assert jobs.report(claim(), 3, 10, "training")

        now = stored(jobs, project)
        assert (now.done, now.total, now.what) == (3, 10, "training")

    @pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
    def test_a_job_that_ended_is_over(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job], state: JobState
    ) -> None:
        jobs.enqueue(JobKind.LEARN, project.id)
        job = claim(EXPIRED)

        jobs.finish(job, state, "so it went")

        assert jobs.claim(LEARNING, LONG) is None
        assert not jobs.renew(job, LONG)
        assert (stored(jobs, project).state, stored(jobs, project).message) == (state, "so it went")

    def test_a_postponed_job_waits(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        number = jobs.enqueue(JobKind.LEARN, project.id)

        jobs.postpone(claim(), LONG, "Label Studio is down")

        assert jobs.claim(LEARNING, LONG) is None
        assert jobs.enqueue(JobKind.LEARN, project.id) == number
        assert stored(jobs, project).message == "Label Studio is down"

    def test_a_postponed_job_is_done_when_its_time_has_come(
        self, jobs: SqlJobTable, project: Project, claim: Callable[..., Job]
    ) -> None:
        number = jobs.enqueue(JobKind.LEARN, project.id)

        jobs.postpone(claim(), EXPIRED, "")

        assert claim().id == number


# Two processes ----------------------------------------------------------------------------------

JOBS_A_THREAD = 15


def hammer(url: str, project_ids: list[int], journal: Path) -> None:
    """Ask for jobs until each thread has done its share, noting when each began and ended."""
    database = Database(url)
    jobs = SqlJobTable(database)

    def one_thread(number: int) -> None:
        done = 0
        while True:
            if done < JOBS_A_THREAD:
                for project_id in project_ids:
                    jobs.enqueue(LEARNING[number % 2], project_id)
            job = jobs.claim(LEARNING, LONG)
            if job is not None:
                with journal.open("a") as lines:
                    lines.write(f"{time.monotonic()} begins {job.id} {job.project_id}\n")
                time.sleep(0.002)
                with journal.open("a") as lines:
                    lines.write(f"{time.monotonic()} ends {job.id} {job.project_id}\n")
                jobs.finish(job, JobState.DONE, "")
                done += 1
            elif done >= JOBS_A_THREAD:
                return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one_thread, range(2)))
    database.close()


def test_workers_of_two_processes_do_each_job_once_and_never_two_of_a_project(
    database_url: str,
    database: Database,
    project: Project,
    other_project: Project,
    tmp_path: Path,
) -> None:
    journals = [tmp_path / f"journal-{number}" for number in range(2)]
    both = [project.id, other_project.id]
    workers = [processes.start(hammer, database_url, both, journal) for journal in journals]
    for worker in workers:
        worker.join()

    lines = [line.split() for journal in journals for line in journal.open()]
    events = sorted(lines, key=lambda line: float(line[0]))
    running: Counter[str] = Counter()
    for _, event, _, project_id in events:
        running[project_id] += 1 if event == "begins" else -1
        assert running[project_id] <= 1
    with database.read() as session:
        states = dict(
            session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all()
        )
    begun = [job_id for _, event, job_id, _ in events if event == "begins"]
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert states == {JobState.DONE.value: len(begun)}
    assert len(begun) == len(set(begun))
    assert len(begun) >= 2 * 2 * JOBS_A_THREAD


def test_a_job_survives_the_store_being_opened_again(sqlite_url: str) -> None:
    first = Database(sqlite_url)
    project = Projects(first).register("label_studio", "1", "<View/>")
    number = SqlJobTable(first).enqueue(JobKind.BEGIN, project.id)
    first.close()

    job = SqlJobTable(Database(sqlite_url)).claim(LEARNING, LONG)

    assert job is not None
    assert job.id == number
