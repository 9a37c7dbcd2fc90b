"""Keyboards: a piano, an organ, and a synthesiser's sequence."""

import numpy as np
from scipy.signal import lfilter

from nca.corpus.playing import Tone
from nca.corpus.signals import RATE, hertz, low_pass, pulses, ring, stretch, wander


def piano(rng: np.random.Generator) -> Tone:
    """A piano: stiff strings, two of them a key and slightly apart, two-stage decay and a hammer's knock."""
    hardness = rng.uniform(0.4, 1.0)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        number = np.arange(1, 31)
        stiff = 2.5e-4 * 2 ** ((pitch - 60) / 14)
        base = float(hertz(pitch))
        frequency = base * number * np.sqrt(1 + stiff * number**2)
        amplitude = np.abs(np.sin(np.pi * number / 7.6)) / number**1.15
        amplitude = amplitude * np.exp(-frequency / (1500.0 + 3500.0 * hardness))
        decay = 9.0 * 2 ** ((48 - pitch) / 16) / (1.0 + (frequency / 2200.0) ** 1.2)
        apart = 1.0 + rng.uniform(2e-4, 9e-4)
        pair = np.concatenate([frequency, frequency * apart]), np.concatenate([decay, decay * 0.35])
        sound = ring(*pair, np.concatenate([amplitude, 0.8 * amplitude]), int(seconds * RATE))
        knock = min(2200, len(sound))
        thud = rng.standard_normal(knock) * np.exp(-np.arange(knock) / 350.0)
        sound[:knock] += 0.10 * low_pass(thud, 900.0)
        return sound

    return tone


def organ(rng: np.random.Generator) -> Tone:
    """A drawbar organ with a click at its start."""
    bars = np.array([1, 2, 3, 4, 6, 8, 1.5, 5])
    strength = np.array([1.0, 0.7, 0.6, 0.4, 0.25, 0.25, 0.4, 0.15]) * rng.uniform(0.2, 1.0, 8)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        count = int(seconds * RATE)
        whirl = 0.5 * float(hertz(pitch)) * bars
        sound = ring(2 * whirl, np.full(8, 1e4), strength, count, rng.uniform(0, 6, 8))
        time = np.arange(count) / RATE
        spin = 1.0 + 0.18 * np.sin(2 * np.pi * 6.3 * time + rng.uniform(0, 6))
        sound *= spin * np.clip(time / 0.006, 0, 1)
        sound[:200] += 0.2 * rng.standard_normal(len(sound[:200])) * np.linspace(1, 0, len(sound[:200]))
        return sound

    return tone


def synth_pluck(rng: np.random.Generator) -> Tone:
    """A synthesiser's short note: a sawtooth under a filter that closes."""
    fall, top = rng.uniform(0.10, 0.35), rng.uniform(2500.0, 7000.0)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        count = int(seconds * RATE)
        cents = 6.0 * wander(rng, count, 1.0)
        track = float(hertz(pitch)) * 2 ** (cents / 1200)
        train, _ = pulses(stretch(track, count), rng.uniform(0, 6))
        saw = lfilter([0.06], [1.0, -0.985], train)
        closing = np.exp(-np.arange(count) / RATE / fall)
        return (low_pass(saw, 700.0) * (1 - closing) * 0.5 + low_pass(saw, top) * closing) * closing**0.5

    return tone
