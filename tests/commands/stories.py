"""How each command that the project shows is tried: a story is what a reader types in a row, and what is seen of it.

A new command belongs into one of three tables. `STORIES`: it is typed into a shell, word for word, in a sandbox with
tiny songs, notebooks and grids, and a function looks at what it printed and left. `REFUSED`: this machine cannot run
it, and it must end with exit code 2 and one sentence that holds the words given. `ELSEWHERE`: another test or `.ci/run`
runs it, and here it is only read by its program's own parser; the reason says who runs it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
from commands.sandbox import Said
from safetensors import safe_open

from nca.sweeps import records
from nca.sweeps.notebooks import first_incomplete

Look = Callable[[Said], None]


def swept(store: str, **runs: int) -> Look:
    """All runs of these stages are done, complete and in the store, each on the CPU and with whole files."""

    def look(said: Said) -> None:
        assert said.code == 0, said.text
        assert ", 0 failed, 0 left" in said.text
        found = list(records(said.here / store))
        stages = [record["stage"] for record in found]
        assert {stage: stages.count(stage) for stage in set(stages)} == runs
        for record in found:
            assert record["device"] in ("cpu", ""), record
            assert record["parameters"].get("device", "cpu") == "cpu"
            assert record["artefacts"]

    return look


def left(folder: str, *files: str, **parameters: object) -> Look:
    """A run has left a folder with its files, and a notebook executed to its end with these parameters."""

    def look(said: Said) -> None:
        assert said.code == 0, said.text
        assert said.text.splitlines()[-1] == folder
        here = said.here / folder
        assert {*files, "notebook.ipynb", "results.json"} <= {path.name for path in here.iterdir()}
        notebook = nbformat.read(here / "notebook.ipynb", as_version=4)
        assert first_incomplete(notebook) is None
        assert parameters.items() <= notebook.metadata.papermill.parameters.items()
        assert json.loads((here / "results.json").read_text())

    return look


def says(*words: str, code: int = 0) -> Look:
    """It ends with a code and says these words."""

    def look(said: Said) -> None:
        assert said.code == code, said.text
        assert "Traceback" not in said.text
        for word in words:
            assert word in said.text, said.text

    return look


def refused(*words: str) -> Look:
    """It ends with exit code 2 and one sentence."""

    def look(said: Said) -> None:
        lines = said.text.splitlines()
        assert (said.code, len(lines)) == (2, 1), said.text
        assert lines[0].startswith("nca: ")
        assert all(word in lines[0] for word in words), said.text

    return look


def _model(said: Said) -> None:
    left("my-model", "model.safetensors", data="my-songs", model="SF")(said)
    with safe_open(said.here / "my-model/model.safetensors", "pt") as weights:
        assert weights.keys()
    assert {row["model"] for row in json.loads((said.here / "my-model/results.json").read_text())} == {"SF"}


def _planned(said: Said) -> None:
    assert said.code == 0, said.text
    assert "train: 1 to run, 0 done" in said.text
    assert "couple: 1 to run, 0 done" in said.text
    assert not (said.here / "store/mine").exists()


def _other_values(said: Said) -> None:
    swept("store/mine", train=3, couple=3)(said)
    made = sorted((run["parameters"]["data"], run["parameters"]["model"]) for run in records(said.here / "store/mine"))
    assert made == [("my-songs", "DAE")] * 2 + [("songs", "DAE")] * 2 + [("songs", "SF")] * 2


def _pruned(said: Said) -> None:
    assert said.code == 0, said.text
    assert "4 runs that no grid given needs; --yes removes them" in said.text
    assert len(list(records(said.here / "store/mine"))) == 6


def recorded(file: str, command: str, runs: int) -> Look:
    """The record holds so many runs, and the command that makes them again."""

    def look(said: Said) -> None:
        assert said.code == 0, said.text
        kept = json.loads((said.here / file).read_text())
        assert (kept["command"], len(kept["runs"])) == (command, runs)

    return look


def _added(said: Said) -> None:
    assert said.code == 0, said.text
    kept = json.loads((said.here / "book/records/size.json").read_text())["runs"]
    made = {record["digest"] for record in records(said.here / "store/size")}
    assert len(made) == 4
    assert made < {run["digest"] for run in kept}
    assert len(kept) > 10  # what it held before is still there


def _all_sizes(said: Said) -> None:
    kinds = ("networks-257", "couplings-257", "networks-513", "couplings-513")
    swept("store/forensics", **dict.fromkeys(kinds, 1))(said)


def _looked_at(said: Said) -> None:
    assert said.code == 0, said.text
    page = (said.here / said.text.splitlines()[-1]).read_text()
    assert "<audio" in page


def _built(said: Said) -> None:
    assert said.code == 0, said.text[-2000:]
    page = (said.here / "_build/html/executed/runs.html").read_text()
    assert "What ran, how long, and in how much memory" in page


def _found(said: Said) -> None:
    assert said.code == 0
    folders = {Path(line.split(":")[0]).parts[0] for line in said.text.splitlines()}
    assert folders == {"nca", "tests", "notebooks"}


def _installed(said: Said) -> None:
    assert said.code == 0, said.text
    assert (said.here / "site/nca/training/networks/README.md").exists()
    assert (said.here / "site/nca/py.typed").exists()


# Typed one after another in one sandbox each.
STORIES: dict[str, list[tuple[str, Look]]] = {
    "songs of one's own": [
        ("nca tracks my-songs", says("train", "test")),
        ("nca run notebooks/train.md --out my-model --set data=my-songs --set model=SF", _model),
        (
            "nca run notebooks/couple.md --out my-couplings --set trained=my-model --set data=my-songs --set song=0",
            left("my-couplings", "couplings.safetensors", trained="my-model", data="my-songs", song=0),
        ),
        (".venv/bin/nca run notebooks/train.md --out my-model", refused("my-model exists already")),
        ("nca run notebooks/train.md --out my-model --set model=NAME", refused("my-model exists already")),
    ],
    "a notebook by itself": [
        ("nca run notebooks/train.md --out my-model --set model=NAME", refused("no model 'NAME'")),
        (
            ".venv/bin/nca run notebooks/train.md --out my-model",
            left("my-model", "model.safetensors", "model.json"),
        ),
    ],
    "a grid of one's own": [
        ("nca sweep mine.yml --dry-run", _planned),
        ("nca sweep mine.yml --set model=DAE,SF --set seed=0 --dry-run", says("train: 2 to run", "couple: 2 to run")),
        ("nca sweep mine.yml --stage train", swept("store/mine", train=1)),
        ("nca sweep mine.yml --status", says("train", "couple")),
        ("nca sweep mine.yml", swept("store/mine", train=1, couple=1)),
        ("nca sweep mine.yml --workers 4", swept("store/mine", train=1, couple=1)),
        ("nca sweep mine.yml --set model=DAE,SF --set data=songs", _other_values),
        ("nca sweep mine.yml --prune", _pruned),
        (
            'nca record store/mine results.json --add --command "nca sweep mine.yml"',
            recorded("results.json", "nca sweep mine.yml", 6),
        ),
    ],
    "the demo book, tiny": [
        ("nca sweep notebooks/demo.yml", swept("store/demo", train=1, couple=1, runs=1)),
        ("nca sweep notebooks/demo.yml --set data=my-songs", swept("store/demo", train=2, couple=2, runs=2)),
        ("jupyter-book build .", _built),
    ],
    "the recorded grids, tiny: judged": [
        ("nca sweep notebooks/judged.yml", swept("store/judged", train=1, judge=1, fewer=1)),
    ],
    "the recorded grids, tiny: real singing": [
        ("nca sweep notebooks/mir1k.yml --set data=FOLDER", swept("store/mir-1k", train=1, couple=1, published=1)),
    ],
    "the recorded grids, tiny: rounding": [
        (
            "nca sweep notebooks/precision.yml",
            swept(
                "store/precision",
                **{
                    f"{name}{stage}": 1
                    for name in ("float32", "another-seed", "half-spectra", "bfloat16")
                    for stage in ("", "-coupled")
                },
            ),
        ),
    ],
    "the recorded grids, tiny: networks to keep": [
        ("nca sweep notebooks/pretrained.yml", swept("store/pretrained", train=1, keep=1)),
        (
            'nca record store/pretrained book/records/pretrained.json --command "nca sweep notebooks/pretrained.yml"',
            recorded("book/records/pretrained.json", "nca sweep notebooks/pretrained.yml", 2),
        ),
    ],
    "the recorded grids, tiny: readings and sizes": [
        ("nca sweep notebooks/readings.yml", swept("store/readings", train=1, couple=1, retrain=1)),
        ("nca sweep notebooks/size.yml", swept("store/size", network=1)),
        ("nca sweep notebooks/matrices.yml", swept("store/size", network=2, strategies=1, matrices=1)),
        (
            'nca record store/size book/records/size.json --add --command "nca sweep notebooks/size.yml"',
            _added,
        ),
    ],
    "the recorded grids, tiny: forensics": [
        (
            "nca sweep notebooks/forensics.yml --stage couplings-257",
            swept("store/forensics", **{"networks-257": 1, "couplings-257": 1}),
        ),
        ("nca sweep notebooks/forensics.yml", _all_sizes),
        (
            'nca record store/forensics book/records/forensics.json --command "nca sweep notebooks/forensics.yml"',
            recorded("book/records/forensics.json", "nca sweep notebooks/forensics.yml", 4),
        ),
    ],
    "the recorded grids, tiny: networks of the future": [
        ("nca sweep notebooks/future.yml", swept("store/future", network=1)),
        (
            'nca record store/future book/records/future.json --command "nca sweep notebooks/future.yml"',
            says(),
        ),
    ],
    "a song looked at": [
        ("nca look song.mp3", _looked_at),
        ("nca look song.flac --model DAE --start 60", _looked_at),
        ("nca look song.flac --model spleeter --start 60", refused("nca fetch spleeter")),
    ],
    "make and pip": [
        ("make help", says("make book", "make test", "make lab")),
        ('grep -rniE "eq\\W*22\\b" nca tests notebooks', _found),
        ("pip install .", _installed),
        ("pip install '.[data]'", _installed),
        ("papermill --help-notebook x.md", says("data", "epochs")),
        ("papermill x.md out.ipynb", says()),
    ],
}

# What this machine cannot do: exit code 2, and one sentence with these words.
REFUSED = {
    "nca fetch spleeter": "pip cannot download",  # without the network, which tests do not need
    "nca sweep notebooks/paper/couple.yml --devices cuda:0": "there is no device 'cuda:0'",
    "nca sweep mine.yml --devices cuda:0,cuda:1": "there is no device",
    "nca sweep notebooks/size.yml --devices cuda:0": "there is no device 'cuda:0'",
    "nca bench ensembles --device cuda --json book/records/ensembles.json": "cuda",
    "nca sweep mine.yml --scheduler tcp://host:8786": "no Dask scheduler answers at tcp://host:8786",
    "nca sweep mine.yml --scheduler tls://host:8786": "no Dask scheduler answers at tls://host:8786",
}

_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
TLS = [
    f"{_TLS}CA_FILE=ca.pem",
    *(f"{_TLS}{who}__{file}" for who in ("SCHEDULER", "WORKER", "CLIENT") for file in ("CERT=own.pem", "KEY=own.key")),
]

PAPERMILL = [
    "papermill --help-notebook notebooks/train.md",
    "papermill notebooks/train.md trained.ipynb -p data my-songs -p model SF -p epochs 8 -p out my-model",
    "papermill notebooks/couple.md coupled.ipynb -p data my-songs -p trained my-model -p out my-couplings "
    "-f settings.yml",
    "cd my-songs",
    "papermill ../notebooks/couple.md ../again.ipynb -p data . -p trained ../my-model -f ../settings.yml "
    "-p out ../more-couplings",
]
SLURM = [
    'nca sweep mine.yml --sbatch="--time=08:00:00 --mem=16G"',
    'nca sweep mine.yml --sbatch="--time=08:00:00 --mem=16G --gres=gpu:1" --devices cuda:0 --jobs 8',
]

# Only read here, by the program's own parser: who runs it.
ELSEWHERE = {
    "make book": ".ci/run",
    "nca sweep notebooks/spleeter.yml": "by hand: it needs the weights that nca fetch spleeter gets from the network",
    'nca record store/spleeter book/records/spleeter.json --command "nca sweep notebooks/spleeter.yml"': "as above",
    "make pdf": "tests/pages/test_printing.py, and by hand once the book is built",
    "make test": ".ci/run, as part of make test-all",
    "make test-all": ".ci/run",
    "make lab": "tests/pages/test_lab.py, with the options that make gives",
    ".venv/bin/pytest tests/couplings": "make test",
    "NCA_CORRUPTIONS=80 .venv/bin/pytest tests/corruption": "by hand: minutes; make test runs its first seeds",
    ".venv/bin/python tests/mutants.py --count 100 --seed 0": "by hand: many minutes; test_the_mutants_that_are_drawn",
    "nca corpus data/demo-64 --songs 64 --seconds 30": "test_a_corpus_of_the_size_asked_for, with fewer songs",
    "nca bench couplings": "test_the_bench_as_printed, at a few bands",
    "export MUSDB_PATH=/where/MUSDB18/lies": "tests/sweeps/test_paper_grids.py sets it",
    **dict.fromkeys(PAPERMILL, "tests/sweeps/test_papermill.py, which takes them from the page"),
    **dict.fromkeys(SLURM, "tests/sweeps/test_slurm.py, with a scheduler of its own"),
    **{f"export {variables}": "tests/sweeps/test_cluster.py sets these variables" for variables in TLS},
    "dask scheduler --host tls://0.0.0.0 &": "tests/sweeps/test_cluster.py, on the loopback interface",
    "pip install 'nca[{extra}]'": "tests/support/test_extras.py, for every extra that a message can name",
}
