"""What a page says of records: every run's versions and machine, and tables as computed by hand."""

import json
import math

import pandas as pd
import pytest

from nca.errors import NCAError
from nca.pages import records
from nca.pages.quotes import of_identity, of_linear_composition, of_results
from nca.support.files import write_json


def recorded(tmp_path, *runs, **head):
    file = tmp_path / "record.json"
    stages = {run["stage"]: sum(each["stage"] == run["stage"] for each in runs) for run in runs}
    write_json(file, {"command": "nca sweep it.yml", "stages": stages, "runs": list(runs)} | head)
    return str(file)


def run(stage="judge", torch="2.13", code="a" * 64, **rest):
    return {"stage": stage, "parameters": {}, "versions": {"torch": torch}, "code": code, "results": []} | rest


def test_one_line_where_all_runs_agree(tmp_path):
    said = records.provenance(recorded(tmp_path, run(), run(), machine={"cores": 2}, note="in the night"))
    assert said.splitlines() == [
        "recorded from: nca sweep it.yml",
        "runs: 2 judge",
        "machine: cores 2 (first run; others not recorded)",
        "versions: torch 2.13",
        f"code: {'a' * 12}",
        "in the night",
    ]


def test_a_first_run_is_never_taken_for_everyone(tmp_path):
    said = records.provenance(recorded(tmp_path, run(), run(torch="2.14", code="b" * 64), run(torch="2.14")))
    assert "versions: torch 2.13 (1 runs); torch 2.14 (2 runs)" in said
    assert f"code: {'a' * 12} (2 runs); {'b' * 12} (1 runs)" in said
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, device in zip(folders, ("cpu", "cuda:0"), strict=True):
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(run(device=device, artefacts={})))
    assert "device: cpu (1 runs); cuda:0 (1 runs)" in records.of_runs([str(folder) for folder in folders])
    with pytest.raises(NCAError):
        records.of_runs([str(tmp_path / "none")])


def test_only_what_all_trainings_share_is_shown_as_theirs(tmp_path):
    runs = [run("train", parameters={"seed": seed, "batch": 128, "rates": [1]}) for seed in (0, 1)]
    shared = records.agreed_parameters(recorded(tmp_path, *runs, run("other")), "train")
    assert shared.to_dict() == {"batch": "128", "rates": "[1]"}


def test_changes_are_differences_or_per_cent_of_means(tmp_path):
    runs = [
        run(way, parameters={"model": "DAE"}, results=[{"loss": loss, "score": score}])
        for way, loss, score in (("a", 1.0, 3.0), ("a", 3.0, 5.0), ("b", 2.2, 5.0))
    ]
    columns = {"loss, %": "loss", "score, dB": "score"}
    changed = records.changes(recorded(tmp_path, *runs), ["a", "b"], columns, ["model"])
    assert changed.loc["DAE"].to_dict() == pytest.approx({("loss, %", "b"): 10.0, ("score, dB", "b"): 1.0})


def test_hours_and_epochs_of_a_prediction(tmp_path):
    rows = [{"stage": "training", "model": "DAE", "seconds": 7200.0, "floor": 3600.0}]
    prediction = tmp_path / "prediction.json"
    write_json(prediction, {"rows": rows, "scale": {"epochs": 10, "instances": 2}})
    hours = records.hours({"here": str(prediction)})
    assert hours.loc[("in all", ""), "here"].tolist() == [2.0, 1.0]
    trained = recorded(
        tmp_path,
        *[
            run("train", parameters={"model": "DAE"}, seconds=seconds, results=[{"epochs": 4}])
            for seconds in (800.0, 1200.0)
        ],
    )
    (row,) = records.epochs(str(prediction), trained).to_dict("records")
    assert row == pytest.approx({"predicted": 360.0, "measured": 300.0, "epochs": 4.0, "error, %": 20.0})


def test_quoted_numbers_are_those_of_the_rows():
    values = {"student": 0.2, "compositional": 0.4, "linear composition": 0.1, "equaliser": 9.0}
    values |= {"student (to the voice)": 0.3, "mean exact mapping (to the voice)": 0.5}
    times = {"mean exact mapping (to the voice)": {"SF": 4}}
    rows = pd.DataFrame(
        {"model": model, "strategy": strategy, "seed": seed, "song": f"song {seed}", "segment": 0, "chance": 0.1}
        | {
            "tod_ratio": (ratio + seed / 10) * times.get(strategy, {}).get(model, 1),
            "snr_model": place + 2.0,
            "null_space": 0.3,
            "exact_correlation": ratio / 10,
        }
        for place, model in enumerate(("DAE", "MSS-DAE", "SF"))
        for strategy, ratio in values.items()
        for seed in (0, 1)
    )
    quoted = of_results(rows)
    assert (quoted["chance"], quoted["chance-paper"]) == ("0.100", "0.022")
    assert (quoted["ordered"], quoted["in-all"], quoted["student-most"], quoted["tod-SF"]) == (0, 2, "2.5", "0.45")
    assert (quoted["mss-dae-ours"], quoted["mss-dae-count"]) == ("0.450 ± 0.071", 2)
    assert (quoted["mss-dae-error"], quoted["mss-dae-paper"]) == ("0.050", "0.14 ± 0.04")
    assert (quoted["voice-SF"], quoted["voice-DAE"]) == ("2.20 ± 0.28", "0.55 ± 0.07")
    assert (quoted["voice-most"], quoted["voice-count"]) == (2, 2)
    assert (quoted["voice-least-times"], quoted["voice-most-times"]) == ("4.0", "4.0")


def test_what_weights_would_have_to_be_for_the_papers_linear_compositions():
    """All weights times a factor f make two layers f^2 as loud and four f^4."""
    ours = {"DAE": -20.0, "MSS-DAE": -60.0, "SF": -10.0}  # 10, 1000 times as loud as the output
    rows = pd.DataFrame(
        {"model": model, "strategy": "linear composition", "statistics": "corpus", "snr_model": level}
        for model, level in ours.items()
    )
    quoted = of_linear_composition(rows)
    two, four = float(quoted["factor-two"]), float(quoted["factor-four"])
    assert -20 * math.log10(1 - 10 * two**2) == pytest.approx(0.01, rel=0.1)  # the paper's DAE
    assert -20 * math.log10(1000 * four**4) == pytest.approx(-174.9, abs=0.6)  # its MSS-DAE
    assert (quoted["ours-two"], quoted["ours-four"]) == ("10", "1000")


def test_the_identity_is_quoted_by_variance():
    levels = {"mixture": -2.0, "own": 1.5}
    rows = pd.DataFrame(
        {"model": model, "strategy": "identity", "statistics": "corpus", "song": "a", "segment": segment}
        | {"variance": variance, "snr_model": level + segment, "snr_model_voice": 3.0}
        for model in ("DAE", "MSS-DAE", "SF")
        for variance, level in levels.items()
        for segment in (0, 1)
    )
    quoted = of_identity(rows)
    assert (quoted["identity-mixture"], quoted["identity-own"]) == ("-1.5, -1.5, -1.5", "+2.0, +2.0, +2.0")
    assert quoted["identity-gain"] == "+3.5 ± 0.0 dB"
    assert quoted["identity-paper"] == "+2.38, +3.05, +2.51"
