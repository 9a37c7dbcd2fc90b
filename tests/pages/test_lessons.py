"""Widgets that teach one thing: what they are sent is what Python computes."""

import zlib

import numpy as np
import pytest
import torch
from samples import spectra, trained_like

from nca.errors import ParameterError
from nca.mapping import frame_mappings
from nca.metrics import tod_ratio
from nca.pages.lessons import FrameByFrame, ShuffledColumns
from nca.spectra import profile
from nca.training import Trained

BANDS = 8


def decoded(code: dict, shape: tuple[int, int]) -> np.ndarray:
    """A matrix from its code, as the scripts read it."""
    values = np.frombuffer(zlib.decompress(code["code"]), dtype=np.uint8)
    level = values & 127
    magnitude = np.where(level, code["peak"] * 10 ** (-code["range"] * (127.0 - level) / 126 / 20), 0)
    return (np.where(values > 127, -1, 1) * magnitude).reshape(shape)


def network(name: str) -> Trained:
    model = trained_like(name)
    geometry = profile("demo")
    return Trained(model, torch.ones(model.bins, 1), torch.ones(model.bins, 1), geometry, 0, [1.0], [1e-3])


@pytest.mark.parametrize("name", ["DAE", "SF"])
def test_the_sent_weights_and_gates_make_the_exact_mapping_of_every_frame(name: str) -> None:
    trained = network(name)
    mixture = spectra(frames=9)
    lesson = FrameByFrame(trained, mixture, BANDS)
    units, frames = lesson.sizes["units"], lesson.sizes["frames"]
    assert mixture[:, lesson.sizes["start"]].norm() == mixture.norm(dim=0).max()
    decoder, encoder = decoded(lesson.weights[0], (BANDS, units)), decoded(lesson.weights[1], (units, BANDS))
    packed = [np.unpackbits(np.frombuffer(each, dtype=np.uint8)) for each in lesson.signals[:2]]
    hidden, output = (bits[: n * frames].reshape(n, frames) for bits, n in zip(packed, (units, BANDS), strict=True))
    for t, exact in enumerate(frame_mappings(trained.model, mixture)):
        made = output[:, t, None] * (decoder @ (hidden[:, t, None] * encoder))
        wanted = exact.matrix[:BANDS, :BANDS].numpy()
        assert made == pytest.approx(wanted, abs=0.05 * np.abs(wanted).max())
        assert tod_ratio(torch.as_tensor(made)).item() == pytest.approx(
            tod_ratio(exact.matrix[:BANDS, :BANDS]).item(), rel=0.05
        )


def test_a_deeper_network_is_refused() -> None:
    trained = network("MSS-DAE")
    with pytest.raises(ParameterError, match="two layers, not 4"):
        FrameByFrame(trained, spectra(), BANDS)


def test_shuffled_columns_start_from_the_matrices_and_carry_a_picture() -> None:
    matrix = torch.rand(BANDS, BANDS, generator=torch.Generator().manual_seed(0))
    lesson = ShuffledColumns({"one": matrix, "two": matrix.T}, 10.0)
    assert [view["label"] for view in lesson.views] == ["one", "two"]
    assert decoded(lesson.views[1], (BANDS, BANDS)) == pytest.approx(matrix.T.numpy(), abs=0.05)
    data, _ = lesson._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(data)
