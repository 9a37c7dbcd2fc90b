"""Power laws are found again, with intervals that hold as often as they say."""

import numpy as np
import pandas as pd
import pytest

from nca.analysis.scaling import power_law
from nca.errors import DataError


def planted(seed, noise=0.1, rows=12):
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"bins": generator.choice([257, 513, 1025], rows), "frames": generator.uniform(1e3, 1e5, rows)}
    )
    table["y"] = 7 * table.bins**-0.8 * table.frames**0.1 * np.exp(noise * generator.standard_normal(rows))
    return table


def test_a_law_without_noise_is_found_exactly():
    law = power_law(planted(0, noise=0), "y", ["bins", "frames"])
    assert law.terms.estimate["bins"] == pytest.approx(-0.8)
    assert law.terms.estimate["frames"] == pytest.approx(0.1)
    y, low, high = law.predict({"bins": 2049, "frames": 2.7e6})
    assert low <= y <= high
    assert y == pytest.approx(7 * 2049**-0.8 * 2.7e6**0.1)


def test_the_intervals_hold_nineteen_times_in_twenty():
    held, expected = [], []
    for seed in range(400):
        table = planted(seed, rows=13)
        law = power_law(table[:-1], "y", ["bins", "frames"])
        held.append(law.terms.low["bins"] < -0.8 < law.terms.high["bins"])
        _, low, high = law.predict(table.iloc[-1][["bins", "frames"]])
        expected.append(low < table.y.iloc[-1] < high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)
    assert np.mean(expected) == pytest.approx(0.95, abs=0.03)


def test_levels_take_the_place_of_a_law():
    table = planted(1, noise=0)
    table.loc[table.bins == 1025, "y"] *= 5
    law = power_law(table, "y", ["frames"], "bins")
    assert law.terms.estimate["frames"] == pytest.approx(0.1)
    assert law.predict({"frames": 1.0}, 1025)[0] == pytest.approx(7 * 1025**-0.8 * 5)
    with pytest.raises(DataError, match="level 2049"):
        law.predict({"frames": 1.0}, 2049)


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="do not determine"):
        power_law(planted(0, rows=3), "y", ["bins", "frames"])
    with pytest.raises(DataError, match="do not determine"):
        power_law(planted(0).assign(bins=9), "y", ["bins", "frames"])
