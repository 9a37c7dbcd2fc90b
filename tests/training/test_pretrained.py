"""The networks that come with the package are those of their record, and separate as it says."""

import hashlib
from pathlib import Path

import pytest
import torch

import nca
from nca.errors import ParameterError
from nca.models import MODELS
from nca.sweeps.archive import recorded_rows
from nca.training.trained import NETWORKS

RECORD = Path(__file__).parents[2] / "book" / "records" / "pretrained.json"


@pytest.mark.parametrize("name", list(MODELS))
def test_the_file_is_the_one_of_the_record(name):
    rows = recorded_rows(RECORD, "keep").query("model == @name")
    digest = hashlib.sha256((NETWORKS / name / "model.safetensors").read_bytes()).hexdigest()
    assert set(rows.sha256) == {digest}
    trained = nca.pretrained(name)
    assert set(rows.epochs) == {len(trained.losses)}
    assert trained.rates[-1] < trained.rates[0]  # halved: trained to the end of the rule


@pytest.mark.parametrize("name", list(MODELS))
def test_it_separates_the_real_song_as_the_record_says(name):
    song = nca.real_song()
    (row,) = nca.score_songs(nca.pretrained(name), [song])
    recorded = recorded_rows(RECORD, "keep").query("model == @name and song == @song.name").iloc[0]
    assert row["si_sdr_model"] == pytest.approx(recorded.si_sdr_model, abs=1e-3)
    assert abs(recorded.si_sdr_model - recorded.si_sdr_unrounded) < 0.01


def test_they_are_in_single_precision_and_small_together():
    assert {parameter.dtype for parameter in nca.pretrained("SF").model.parameters()} == {torch.float32}
    assert sum(file.stat().st_size for file in NETWORKS.rglob("*") if file.is_file()) < 5e6


def test_another_name_is_refused():
    with pytest.raises(ParameterError, match="no pretrained network 'UNet'; choose one of DAE, MSS-DAE, SF, spleeter"):
        nca.pretrained("UNet")
