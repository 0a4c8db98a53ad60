"""Many measure, or one changes the weights."""

import asyncio

import pytest

from reward_server.vllm_plugin.gate import Gate


def test_readers_hold_it_together_and_a_writer_waits_for_all_of_them() -> None:
    async def scene() -> list[str]:
        gate, seen, leave = Gate(), list[str](), asyncio.Event()

        async def read(name: str) -> None:
            async with gate.reading():
                seen.append(f"{name} in")
                await leave.wait()
            seen.append(f"{name} out")

        async def write() -> None:
            async with gate.writing():
                seen.append("writing")

        readers = [asyncio.create_task(read(name)) for name in "ab"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        writer = asyncio.create_task(write())
        await asyncio.sleep(0.01)
        assert seen == ["a in", "b in"]
        leave.set()
        await asyncio.gather(*readers, writer)
        return seen

    assert asyncio.run(scene())[-1] == "writing"


def test_who_comes_after_a_waiting_writer_reads_after_it() -> None:
    async def scene() -> list[str]:
        gate, seen, leave = Gate(), list[str](), asyncio.Event()

        async def read(name: str, until: asyncio.Event) -> None:
            async with gate.reading():
                seen.append(name)
                await until.wait()

        async def write(name: str) -> None:
            async with gate.writing():
                seen.append(name)
                await asyncio.sleep(0.01)
                seen.append(f"{name} done")

        free = asyncio.Event()
        free.set()
        tasks = [asyncio.create_task(read("early", leave))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(write("first")), asyncio.create_task(write("second"))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(read("late", free))]
        await asyncio.sleep(0.01)
        leave.set()
        await asyncio.gather(*tasks)
        return seen

    assert asyncio.run(scene()) == ["early", "first", "first done", "second", "second done", "late"]


def test_a_writer_that_gives_up_or_fails_lets_the_readers_in() -> None:
    async def scene() -> None:
        gate = Gate()

        async def write() -> None:
            async with gate.writing():
                raise RuntimeError("failed")

        async with gate.reading():
            writer = asyncio.create_task(write())
            await asyncio.sleep(0.01)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        with pytest.raises(RuntimeError, match="failed"):
            await write()
        async with asyncio.timeout(5), gate.reading(), gate.reading():
            pass

    asyncio.run(scene())
