"""Where it all sounds: panning, reverberation and the mixing desk's level control.

The room is early reflections and exponentially decaying noise, of the kind of Moorer's "About This Reverberation
Business", 1979. The rest is what every mixing desk has, set by ear.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import cheby2, oaconvolve, sosfilt

from nca.data.demo.playing import saturate
from nca.data.demo.signals import BAND, RATE, fading, high_pass, low_pass, rms


def pan(mono: np.ndarray, seat: float) -> np.ndarray:
    """A mono track at a seat from left (-1) to right (1), at equal power: (2, samples)."""
    angle = 0.25 * np.pi * (1.0 + seat)
    return np.stack([np.cos(angle) * mono, np.sin(angle) * mono])


def draw_room(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """An impulse response (2, samples) of a room whose reverberation falls by 60 dB in `seconds`.

    A dozen early reflections, then noise, independent left and right, whose upper bands die sooner.
    """
    count = int(seconds * RATE)
    noise = rng.standard_normal((2, count))
    dark = low_pass(noise, 1200.0, 1)
    tail = dark * fading(count, seconds) + (noise - dark) * fading(count, 0.45 * seconds)
    delay = int(rng.uniform(0.008, 0.03) * RATE)
    response = np.zeros((2, count + delay))
    response[:, delay:] = tail * np.clip(np.arange(count) / RATE / 0.015, 0.0, 1.0)
    response /= np.sqrt(np.sum(response**2, axis=1, keepdims=True))
    for side in range(2):
        early = rng.integers(int(0.004 * RATE), int(0.06 * RATE), 12)
        response[side, np.minimum(early, count - 1)] += rng.uniform(-0.25, 0.25, 12)
    return low_pass(response, 9000.0, 1)


def reverberate(dry: np.ndarray, room: np.ndarray, wet: float) -> np.ndarray:
    """The dry track (2, samples) with its reverberation, sent in mono, at `wet` times its energy."""
    send = high_pass(dry.mean(axis=0), 180.0)
    return dry + wet * np.stack([oaconvolve(send, side)[: dry.shape[1]] for side in room])


def level_ride(stereo: np.ndarray, strength: float, seconds: float = 0.15) -> np.ndarray:
    """A compressor: the gain (samples,) that draws the loudness of the last moments together."""
    loudness = np.sqrt(uniform_filter1d(np.mean(stereo**2, axis=0), int(seconds * RATE)) + 1e-12)
    reference = rms(stereo) + 1e-9
    return (np.maximum(loudness, 0.3 * reference) / reference) ** -strength


def peak_gain(total: np.ndarray, ceiling: float) -> np.ndarray:
    """A limiter's gain (samples,), at most 1, that keeps the total (2, samples) under the ceiling, smoothly."""
    step = 64
    peak = np.max(np.abs(total), axis=0)
    blocks = np.append(peak, np.zeros(-len(peak) % step)).reshape(-1, step).max(axis=1)
    wanted = np.minimum(1.0, ceiling / np.maximum(blocks, 1e-9))
    reach = 24  # blocks: 35 ms either way
    padded = np.pad(wanted, reach, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    gain = uniform_filter1d(lowest, reach, mode="nearest")
    at = np.minimum(np.arange(len(peak)) / step, len(gain) - 1)
    smooth = np.interp(at, np.arange(len(gain)) + 0.5, gain)
    return np.minimum(smooth, ceiling / np.maximum(peak, ceiling))


def finish(stereo: np.ndarray, presence: float) -> np.ndarray:
    """A stem's channel on the desk: a high shelf of gain 1 + presence, a little warmth, no rumble, nothing too high."""
    brighter = stereo + presence * high_pass(stereo, 1600.0, 1)
    warm = high_pass(saturate(brighter, 0.15), 25.0)
    return sosfilt(cheby2(10, 70.0, BAND + 1000.0, fs=RATE, output="sos"), warm)
