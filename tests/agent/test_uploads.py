"""Uploads over a session: one batch at a time, again after failures, and one last before the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from wampflask_agent.buffer import BATCH_REPORTS, Buffer
from wampflask_agent.calls import CallError
from wampflask_agent.uploads import APPEND, INVALID, Uploads

Batch = list[dict[str, Any]]


class FakeSession:
    """Answers calls as the hub would; ``answer`` may be replaced."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.under_way = 0
        self.answer: Callable[[Batch], Any] = lambda batch: {"stored": batch[-1]["seq"]}

    async def ask(self, procedure: str, batch: Batch, **_: Any) -> Any:
        assert procedure == APPEND
        self.under_way += 1
        assert self.under_way == 1
        self.batches.append(batch)
        try:
            await asyncio.sleep(0)
            answer = self.answer(batch)
            return await answer if asyncio.iscoroutine(answer) else answer
        finally:
            self.under_way -= 1


async def until(condition: Callable[[], Any]) -> None:
    async def wait() -> None:
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), 10)


def run(scenario: Callable[[FakeSession, Uploads, Buffer], Awaitable[None]], count: int = 3, gather: float = 0) -> None:
    """Run a scenario beside uploads of ``count`` reports."""

    async def main() -> None:
        session, buffer = FakeSession(), Buffer()
        uploads = Uploads(buffer, lambda: gather)
        for number in range(count):
            uploads.append({"n": number})
        running = asyncio.ensure_future(uploads.run(cast("Any", session)))
        try:
            await scenario(session, uploads, buffer)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert buffer._flight == [], "what was under way is back in the buffer"

    with ThreadPoolExecutor(1) as thread:  # the browser tests of the same process leave a loop running in this one
        thread.submit(asyncio.run, main()).result()


def test_a_backlog_goes_in_batches_and_new_reports_follow() -> None:
    async def scenario(session: FakeSession, uploads: Uploads, buffer: Buffer) -> None:
        await until(lambda: not len(buffer))
        assert [len(batch) for batch in session.batches] == [BATCH_REPORTS, BATCH_REPORTS, 7]
        uploads.append({"n": "new"})
        await until(lambda: not len(buffer))
        assert session.batches[-1][0]["seq"] == 2 * BATCH_REPORTS + 8

    run(scenario, 2 * BATCH_REPORTS + 7)


@pytest.mark.parametrize("wrong", [None, {}, {"stored": "much"}, [], {"stored": 0}])
def test_whatever_the_hub_answers_the_reports_come_again(wrong: Any) -> None:
    async def scenario(session: FakeSession, uploads: Uploads, buffer: Buffer) -> None:
        good, session.answer = session.answer, lambda _: wrong
        await until(lambda: session.batches and not session.under_way)
        assert len(buffer) == 3
        session.answer = good
        await until(lambda: not len(buffer))
        assert session.batches[0] == session.batches[1], "with the same numbers"

    run(scenario)


def test_only_the_report_that_cannot_be_stored_is_dropped() -> None:
    async def scenario(session: FakeSession, uploads: Uploads, buffer: Buffer) -> None:
        stored: list[int] = []

        def answer(batch: Batch) -> dict[str, int]:
            if any(report["n"] == 1 for report in batch):
                raise CallError(INVALID, "cpu is 'x'")
            stored.extend(report["n"] for report in batch)
            return {"stored": batch[-1]["seq"]}

        session.answer = answer
        await until(lambda: not len(buffer))
        assert (stored, buffer.dropped) == ([0, 2], 1)

    run(scenario)


def test_the_end_does_not_wait_for_the_gathering() -> None:
    async def scenario(session: FakeSession, uploads: Uploads, buffer: Buffer) -> None:
        await asyncio.sleep(0)
        assert session.batches == []
        await uploads.finish()
        assert not len(buffer)

    run(scenario, gather=300)


def test_the_end_does_not_wait_for_a_hub_that_does_not_answer() -> None:
    async def scenario(session: FakeSession, uploads: Uploads, buffer: Buffer) -> None:
        session.answer = lambda _: asyncio.sleep(60)
        await until(lambda: session.under_way)
        await uploads.finish()
        assert len(buffer) == 3

    run(scenario)
