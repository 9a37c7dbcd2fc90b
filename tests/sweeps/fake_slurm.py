#!/usr/bin/env python3
"""`sbatch` and `squeue` as this machine has none: they keep a queue of files, and run what they are given, arrays in
parallel and in a session of their own, each after the jobs that it depends on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

QUEUE = Path(os.environ["FAKE_SLURM"])


def option(name: str, default: str = "") -> str:
    """The value of `--NAME=VALUE`; SLURM takes no other spelling of what the sweep gives it here."""
    return next((word.partition("=")[2] for word in sys.argv if word.startswith(f"--{name}=")), default)


def sbatch() -> None:
    number = 100 + len(list(QUEUE.glob("*.json")))
    (QUEUE / f"{number}.json").write_text(json.dumps(sys.argv[1:]))
    command = [sys.executable, str(Path(__file__).resolve()), str(number), *sys.argv[1:]]
    subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"{number};somewhere")


def work(number: str) -> None:
    """What SLURM does on its own machines, later."""
    needed = option("dependency").removeprefix("afterany:").split(":")
    while not all((QUEUE / f"{one}.done").exists() for one in needed if one):
        time.sleep(0.1)
    first, last = map(int, option("array").split("-"))
    tasks = []
    for one in range(first, last + 1):
        log = option("output").replace("%x", option("job-name")).replace("%a", str(one))
        with open(log, "w") as file:
            tasks.append(subprocess.Popen(["sh", "-c", option("wrap")], stdout=file, stderr=file))
    (QUEUE / f"{number}.done").write_text(" ".join(str(task.wait()) for task in tasks))


def squeue() -> None:
    for file in sorted(QUEUE.glob("*.json")):
        names = [word.partition("=")[2] for word in json.loads(file.read_text()) if word.startswith("--job-name=")]
        if not file.with_suffix(".done").exists() and set(names) & set(option("name").split(",")):
            print(f"{file.stem}_[1-2]")


if __name__ == "__main__":
    called = Path(sys.argv[0]).name
    {"sbatch": sbatch, "squeue": squeue}.get(called, lambda: work(sys.argv[1]))()
