"""A sweep as SLURM jobs: the sweep submits itself, an array of jobs for each stage, after the jobs that it builds on.

Each job is an ordinary sweep of one stage in the same store, where the locks of runs keep the jobs apart. So no session
stays open, and what a job leaves undone at its time limit, the next submission goes on with.
"""

import getpass
import shlex
import subprocess
from collections import Counter
from collections.abc import Sequence

from nca.errors import RunError
from nca.support.digests import digest_of
from nca.sweeps import store
from nca.sweeps.planning import Plan


def submit(laid_out: Plan, command: Sequence[str], options: Sequence[str], jobs: int) -> dict[str, str]:
    """Submit the runs of a plan that are not done.

    Args:
        laid_out: The plan.
        command: The sweep that each job is, to which `--stage NAME` is added.
        options: Of `sbatch`, for all jobs: time, memory, GPUs.
        jobs: At a time for a stage at most; fewer where fewer runs are left.

    Returns:
        The number of the job array by stage; no stage whose runs are all done.

    Raises:
        RunError: SLURM's commands are missing or refuse, or jobs of this sweep are queued or running already.
    """
    place = laid_out.grid.store.resolve()
    names = {stage: f"nca-{stage}-{digest_of(str(place))[:8]}" for stage in laid_out.grid.stages}
    mine = [f"--user={getpass.getuser()}", f"--name={','.join(names.values())}"]
    if waiting := _slurm("squeue", "--noheader", "--format=%i", *mine).split():
        raise RunError(f"jobs of this sweep are in the queue already: {', '.join(waiting)}; wait, or scancel them")
    logs = place / ".slurm"
    with store.naming(place):
        logs.mkdir(parents=True, exist_ok=True)
    left = Counter(run.stage for run in laid_out.runs if not store.is_done(laid_out.folder(run)))
    numbers: dict[str, str] = {}
    for name in filter(left.get, names):
        before = [numbers[each] for each in laid_out.grid.stages[name].needed if each in numbers]
        after = [f"--dependency=afterany:{':'.join(before)}"] if before else []
        about = [
            f"--job-name={names[name]}",
            f"--array=1-{min(jobs, left[name])}",
            f"--output={logs}/%x-%a.txt",
            *after,
        ]
        printed = _slurm("sbatch", "--parsable", *about, *options, f"--wrap={shlex.join([*command, '--stage', name])}")
        numbers[name] = printed.split(";")[0]  # the cluster's name may follow
    return numbers


def _slurm(program: str, *arguments: str) -> str:
    """What one of SLURM's commands prints."""
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise RunError(f"there is no {program} here; submit from a machine on which SLURM is installed") from None
    except subprocess.CalledProcessError as error:
        raise RunError(f"{program} refused: {error.stderr.strip()}") from None
