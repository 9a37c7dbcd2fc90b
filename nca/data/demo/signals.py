"""The few signal generators that every instrument and the voice are built from.

A pulse train is the closed form of a sum of harmonics (Winham and Steiglitz, "Input Generators for Digital Sound
Synthesis", 1970; Moorer, "The Synthesis of Complex Audio Spectra by Means of Discrete Summation Formulas", 1976).
Everything here is deterministic and free of BLAS, so that a song's bytes depend on its seed alone.
"""

from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, rfft
from scipy.signal import butter, sosfilt

RATE = 44100  # Hz
BAND = 15500.0  # Hz; no partial is generated above it, as in a song that went through a lossy codec
HOP = 256  # samples between the frames of a time-varying filter
TICK = 64  # samples between two points of a control curve
SIZE = 2048  # its transform's length, in samples
BINS = int(BAND / RATE * SIZE) + 1  # bins of it that are filtered; the others are empty
CHUNK = 64  # frames filtered at once, to stay in the cache


def bin_frequencies() -> np.ndarray:
    """Frequencies in Hz, float32 (BINS,), of the bins that `filter_frames` filters."""
    return (np.arange(BINS) * (RATE / SIZE)).astype(np.float32)


def hertz(pitch: np.ndarray | float) -> np.ndarray:
    """Frequency in Hz of MIDI pitches, 69 being 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(pitch) - 69.0) / 12.0)


def decibels(value: float) -> float:
    """The linear gain of a level in dB."""
    return float(10.0 ** (value / 20.0))


def to_decibels(value: float) -> float:
    """The level in dB of a linear gain; silence is -240 dB."""
    return float(20.0 * np.log10(value + 1e-12))


def rms(signal: np.ndarray) -> np.float64:
    """Root mean square over every sample."""
    return np.sqrt(np.mean(np.square(signal, dtype=np.float64)))


def to_level(signal: np.ndarray, level: float) -> np.ndarray:
    """The signal at an RMS of so many dB."""
    return signal / (rms(signal) + 1e-9) * decibels(level)


def blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """From the first (share 0) to the second (share 1)."""
    return first * (1.0 - share) + second * share


def fading(samples: int, seconds: float) -> np.ndarray:
    """An exponential (samples,) from 1 that falls by 60 dB in so many seconds."""
    return np.exp(-6.91 * np.arange(samples) / RATE / seconds)


def pulses(frequency: np.ndarray, phase: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A band-limited pulse train and its phase in radians, both (samples,), from a frequency track in Hz.

    It is the sum of cos(k phase) over all harmonics k below `BAND`. The topmost harmonic is
    faded in as the frequency falls, so the train is continuous and free of aliasing while the pitch moves.
    """
    turn = centred(phase + 2.0 * np.pi * np.cumsum(frequency) / RATE)
    limit = BAND / frequency
    count = np.floor(limit)
    sine = np.sin((0.5 * turn).astype(np.float32))
    near = np.abs(sine) < 1e-6
    dirichlet = np.sin(centred((count + 0.5) * turn).astype(np.float32)) / np.where(near, 1.0, 2.0 * sine) - 0.5
    topmost = (limit - count) * np.cos(centred((count + 1.0) * turn).astype(np.float32))
    return np.where(near, count, dirichlet) + topmost, turn


def centred(angle: np.ndarray) -> np.ndarray:
    """The angle within -pi to pi, where single precision, and with it a fast sine, is exact enough."""
    return angle - 2.0 * np.pi * np.rint(angle / (2.0 * np.pi))


def ring(
    frequency: np.ndarray, decay: np.ndarray, amplitude: np.ndarray, samples: int, phase: np.ndarray | float = 0.0
) -> np.ndarray:
    """The sum of decaying sinusoids, (samples,): what is struck or plucked.

    frequency in Hz, decay as the time in seconds to fall by 60 dB, amplitude linear, phase in radians, each
    (partials,). A power z^n is split into z^(256 a) z^b, so the cost is one complex product a sample and partial.
    """
    kept = frequency < BAND
    pole = (-6.91 / decay + 2j * np.pi * frequency)[kept] / RATE
    start = (amplitude * np.exp(1j * (phase - np.pi / 2)))[kept]
    coarse = np.exp(pole[None, :] * (256 * np.arange(samples // 256 + 1))[:, None]) * start
    fine = np.exp(pole[:, None] * np.arange(256))
    real = np.einsum("ap,pb->ab", coarse.real, fine.real) - np.einsum("ap,pb->ab", coarse.imag, fine.imag)
    return real.ravel()[:samples]


def frame_count(samples: int) -> int:
    """How many frames `split_frames` makes: frame t is centred at sample t HOP."""
    return -(-samples // HOP) + 1


def split_frames(signal: np.ndarray) -> np.ndarray:
    """Hann-weighted frames, float32 (frames, 2 HOP), one a hop; overlapped again they sum to the signal."""
    frames = frame_count(len(signal))
    padded = np.zeros((frames + 1) * HOP, dtype=np.float32)
    padded[HOP : HOP + len(signal)] = signal
    blocks = padded.reshape(-1, HOP)
    window = 0.5 - 0.5 * np.cos(np.pi * np.arange(2 * HOP) / HOP)
    return np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window.astype(np.float32)


def filter_frames(signals: list[np.ndarray], respond: Callable[[slice], list[np.ndarray]], samples: int) -> np.ndarray:
    """Sum of the signals, each through its own time-varying filter, (samples,); in single precision within.

    `respond(frames)` gives one response a signal, complex (frames, BINS) or broadcastable, for that slice of frames.
    """
    split = [split_frames(signal) for signal in signals]
    frames = frame_count(samples)
    blocks = np.zeros((frames + SIZE // HOP, HOP), dtype=np.float32)
    for first in range(0, frames, CHUNK):
        part = slice(first, min(first + CHUNK, frames))
        if not any(frame[part].any() for frame in split):
            continue
        spectrum = np.zeros((part.stop - first, SIZE // 2 + 1), dtype=np.complex64)
        for frame, response in zip(split, respond(part), strict=True):
            if frame[part].any():
                spectrum[:, :BINS] += rfft(frame[part], SIZE)[:, :BINS] * response
        answer = irfft(spectrum, SIZE)
        for shift in range(SIZE // HOP):
            blocks[first + shift : part.stop + shift] += answer[:, shift * HOP : (shift + 1) * HOP]
    return blocks.ravel()[HOP : HOP + samples].astype(float)


def low_pass(signal: np.ndarray, cutoff: float, order: int = 2) -> np.ndarray:
    """Butterworth low-pass of the last axis, cut-off in Hz."""
    return sosfilt(butter(order, cutoff, fs=RATE, output="sos"), signal)


def high_pass(signal: np.ndarray, cutoff: float, order: int = 2) -> np.ndarray:
    """Butterworth high-pass of the last axis, cut-off in Hz."""
    return sosfilt(butter(order, cutoff, "highpass", fs=RATE, output="sos"), signal)


def band_pass(signal: np.ndarray, low: float, high: float) -> np.ndarray:
    """Second-order Butterworth band-pass of the last axis, edges in Hz."""
    return sosfilt(butter(2, [low, high], "bandpass", fs=RATE, output="sos"), signal)


def tick_count(samples: int) -> int:
    """Points of a control curve that covers so many samples."""
    return samples // TICK + 2


def stretch(curve: np.ndarray, samples: int) -> np.ndarray:
    """A control curve (ticks,) drawn out to (samples,) by straight lines."""
    return np.interp(np.arange(samples) / TICK, np.arange(len(curve)), curve)


def wander(rng: np.random.Generator, samples: int, rate: float) -> np.ndarray:
    """A smooth random curve about zero of about unit deviation, (ticks,), with `rate` turning points a second."""
    points = rng.standard_normal(int(samples / RATE * rate) + 8)
    position = np.arange(tick_count(samples)) * (TICK * rate / RATE)
    whole = position.astype(np.int64)
    return blend(points[whole], points[whole + 1], 0.5 - 0.5 * np.cos(np.pi * (position - whole)))
