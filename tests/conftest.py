"""Shared by all tests: one thread a process, the three models, and a demo corpus."""

from pathlib import Path

import pytest
import torch
from samples import trained_like

from nca.data.demo import make_corpus
from nca.models import MODELS, Separator

torch.set_num_threads(1)
pytest.register_assert_rewrite("commands.stories")  # so that what a story looks at says what it found


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Separator:
    return trained_like(request.param)


@pytest.fixture(scope="session")
def demo_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo corpus of four songs of four seconds."""
    return make_corpus(tmp_path_factory.mktemp("songs") / "demo", songs=4, seconds=4.0, seed=1)
