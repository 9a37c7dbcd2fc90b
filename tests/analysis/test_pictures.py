"""Pictures of matrices: nothing of a line is lost in pooling, and text gives back what went in."""

import pytest
import torch
from samples import spectra, trained_like

from nca.analysis.bands import lowest
from nca.analysis.pictures import ZOOM, as_text, picture, picture_rows, pooled, to_row_peaks
from nca.couplings import compositional, linear_composition, student
from nca.mapping import mean_mapping
from nca.spectra import Geometry, Segment
from nca.training import Trained

WIDE = Geometry(rate=20000, fft=64, window=32, hop=8)  # 33 bands up to 10 kHz: 26 up to 8 kHz, 4 up to 1.1 kHz


def test_text_gives_back_the_matrix_to_its_step():
    values = torch.rand(13, 13, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(picture(as_text(values)).float(), values, rtol=0, atol=0.51 / 127)
    ends = torch.tensor([[-1.0, 0.0], [1.0, -0.0]])
    assert torch.equal(picture(as_text(ends)).float(), ends)


def test_pooling_keeps_the_entry_of_greatest_magnitude_and_its_sign():
    matrix = torch.zeros(10, 10)
    matrix[2, 3], matrix[3, 3], matrix[9, 0] = -0.5, 0.4, 0.25
    expected = torch.zeros(3, 3)
    expected[0, 0], expected[2, 0] = -0.5, 0.25  # the last row and column are of two bands
    assert torch.equal(pooled(matrix), expected)
    assert torch.equal(pooled(-matrix), -expected)
    assert torch.equal(pooled(matrix, 1), matrix)


@pytest.mark.parametrize("name", ["DAE", "MSS-DAE", "SF"])
def test_each_picture_is_of_its_own_matrix(name):
    scale = torch.linspace(2, 0.5, WIDE.bins).unsqueeze(-1)
    network = Trained(trained_like(name, WIDE.bins).float(), scale, scale, WIDE, 0, [1.0], [1e-3])
    mixture, voice = (spectra(WIDE.bins, 20, seed).float() * scale for seed in (5, 6))
    rows = {row["strategy"]: row for row in picture_rows(network, Segment("a song", 2, 40, mixture, voice), 5)}
    made = [each(network.model, mixture / scale, iterations=5) for each in (student, compositional)]
    made.append(mean_mapping(network.model, mixture / scale))
    assert list(rows) == ["student", "compositional", "mean exact mapping", "linear composition"]
    for couplings in made:
        row, normal = rows[couplings.strategy], to_row_peaks(couplings.matrix)
        assert (row["song"], row["segment"]) == ("a song", 2)
        assert picture(row["whole"]).shape == (7, 7)
        near = lowest(normal, WIDE.bandwidth, ZOOM)
        torch.testing.assert_close(picture(row["near"]).float(), near, rtol=0, atol=0.51 / 127)
        largest = picture(row["whole"]).abs().max()
        assert largest == pytest.approx(lowest(normal, WIDE.bandwidth).abs().max().item(), abs=0.51 / 127)
    composed = linear_composition(network.model).matrix
    shown = picture(rows["linear composition"]["near"]).float()
    assert (shown.sign() * composed[:4, :4].sign() >= 0).all()
    assert shown.abs().max() <= 1
