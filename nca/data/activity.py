"""The part of a track in which every source is active, by the generator that Sec. 4.2 cites in footnote 4.

The generator takes its activation confidence from MedleyDB (Bittner et al., "MedleyDB: A Multitrack Dataset for
Annotation-Intensive MIR Research", ISMIR 2014).
"""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import butter, filtfilt
from scipy.signal.windows import hann
from scipy.special import expit

from nca.errors import ParameterError


def active_window(stems: Mapping[str, np.ndarray], rate: int, seconds: float = 30.0) -> slice:
    """The part of a track in which its sources are most active (Sec. 4.2).

    A frame scores the sum of its sources' activation confidences; of all windows of `seconds` the one with
    the highest geometric mean of scores wins, and starts at a full second. A window that overruns the track
    is shifted back inside: the generator means to do so, but compares seconds with samples.

    Args:
        stems: the sources, `(samples,)` each, all of one length.
        rate: samples a second.
        seconds: length of the window.

    Returns:
        A slice of samples: all of a track that is no longer than `seconds`.

    Raises:
        ParameterError: unless `seconds` is above 0.
    """
    if not seconds > 0:
        raise ParameterError(f"An excerpt of {seconds} s is empty: give a positive number of seconds.")
    samples, wanted = len(next(iter(stems.values()))), round(seconds * rate)
    if samples <= wanted:
        return slice(0, samples)
    hop = _hop(rate)
    score = np.log(np.maximum(activation_confidence(stems, rate).sum(axis=0), np.finfo(float).eps))
    best = sliding_window_view(score, max(1, wanted // hop)).mean(axis=1).argmax()
    start = min(int(best) * hop, samples - wanted) // rate * rate
    return slice(start, start + wanted)


def activation_confidence(stems: Mapping[str, np.ndarray], rate: int) -> np.ndarray:
    """How sure it is that each source sounds, in frames of 93 ms that overlap by half (Sec. 4.2).

    A source's envelope, relative to the loudest moment of all sources together, is low-passed and goes through a
    logistic function of slope 20 around 0.15.

    Args:
        stems: the sources, `(samples,)` each, all of one length.
        rate: samples a second.

    Returns:
        Confidences from 0 to 1, `(sources, frames)`; frame t is centred t half-frames from the start.
    """
    envelopes = np.stack([_envelope(stem, _hop(rate)) for stem in stems.values()])
    total = envelopes.sum(axis=0)
    if total.max() > 0:
        envelopes = len(envelopes) * envelopes / total.max()
    envelopes[:, total < 0.01] = 0.0
    smooth = filtfilt(*butter(2, 0.075), envelopes, padlen=min(9, envelopes.shape[1] - 1))
    return expit(20.0 * (smooth - 0.15))


def is_silent(samples: np.ndarray) -> bool:
    """Whether no sample is above the smallest step of 16 bits, which a codec may leave of silence."""
    return bool(np.abs(samples).max(initial=0.0) <= 2.0**-15)


def _hop(rate: int) -> int:
    """Half the generator's window of 4096 samples at 44.1 kHz, in samples of `rate`: 46 ms."""
    return max(1, round(2048 * rate / 44100))


def _envelope(stem: np.ndarray, hop: int) -> np.ndarray:
    """Half-wave rectified, square-rooted and Hann-averaged signal, `(frames,)`, in windows of two hops."""
    window = 2 * hop
    padded = np.pad(np.sqrt(np.maximum(stem, 0.0)), (hop, 0))
    padded = np.pad(padded, (0, -len(padded) % window))
    return sliding_window_view(padded, window)[::hop] @ hann(window + 2)[1:-1] / window
