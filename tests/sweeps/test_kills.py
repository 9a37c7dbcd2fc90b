"""Sweeps that are killed with signal 9, again and again: nothing is lost, nothing runs twice, the table is the same."""

import random
import shutil
import time
from pathlib import Path

import psutil
import pytest
from sweeps.harness import HERE, cluster, done, end, kernels, run, start

GRID, RUNS = HERE / "grid50.yml", 52
Records = dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a sweep that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    code, output = run(folder, GRID)
    assert code == 0, output
    return (folder / "store" / "results.csv").read_bytes()


@pytest.mark.slow
def test_kill_9_of_sweep_worker_and_kernel(tmp_path: Path, undisturbed: bytes) -> None:
    chance = random.Random(7)
    before = _disturb(tmp_path, ["sweep", "kernel"] * 6, chance, {}, [])
    with cluster(tmp_path) as (address, nannies):
        workers = [nanny.pid for nanny in nannies]
        before = _disturb(tmp_path, ["sweep", "kernel", "worker"] * 4, chance, before, workers, "--scheduler", address)
    code, output = run(tmp_path, GRID)
    assert code == 0, output
    assert before.items() <= done(tmp_path / "store").items()
    assert (tmp_path / "store" / "results.csv").read_bytes() == undisturbed


def _disturb(
    folder: Path, kinds: list[str], chance: random.Random, before: Records, nannies: list[int], *there: str
) -> Records:
    """Sweep and kill what `kinds` say, in random order at random moments; a sweep that has ended starts again."""
    sweep = None
    for kind in chance.sample(kinds, len(kinds)):
        until = time.monotonic() + 120
        while True:
            if sweep is None or sweep.poll() is not None:
                if sweep is not None:
                    end(sweep)
                now = done(folder / "store")
                assert before.items() <= now.items(), "a run that was done has run again"
                # all done before enough was killed: forget half of them
                before = _forget(folder / "store", chance) if len(now) == RUNS else now
                sweep = start(folder, GRID, *there)
            time.sleep(chance.uniform(0.1, 2.5))
            if _kill(kind, sweep.pid, nannies, chance):
                break
            assert time.monotonic() < until, f"no {kind} to kill"
        if kind == "sweep":
            end(sweep)
    if sweep is not None:
        end(sweep)
    now = done(folder / "store")
    assert before.items() <= now.items(), "a run that was done has run again"
    return now


@pytest.mark.slow
def test_two_worker_processes_give_the_same_table_though_one_is_killed(tmp_path: Path, undisturbed: bytes) -> None:
    with cluster(tmp_path) as (address, nannies):
        sweep = start(tmp_path, GRID, "--scheduler", address)
        until = time.monotonic() + 60
        while len(done(tmp_path / "store")) < 10 and time.monotonic() < until:
            time.sleep(0.1)
        assert _kill("worker", sweep.pid, [nanny.pid for nanny in nannies], random.Random(0))
        output, _ = sweep.communicate(timeout=200)
    assert sweep.returncode == 0, output
    assert (tmp_path / "store" / "results.csv").read_bytes() == undisturbed


def _kill(kind: str, sweep: int, nannies: list[int], chance: random.Random) -> bool:
    """Kill one process of a kind; False if there is none just now."""
    try:
        if kind == "sweep":
            victims = [psutil.Process(sweep)]
        elif kind == "kernel":
            victims = kernels(sweep, *nannies)
        else:
            victims = [
                child
                for nanny in nannies
                for child in psutil.Process(nanny).children()
                if "resource_tracker" not in " ".join(child.cmdline())
            ]
        chance.choice(victims).kill()
    except (IndexError, psutil.Error):
        return False
    return True


def _forget(store: Path, chance: random.Random) -> Records:

    for record in sorted(store.glob("[!.]*/*/record.json")):
        if chance.random() < 0.5:
            shutil.rmtree(record.parent)
    return done(store)
