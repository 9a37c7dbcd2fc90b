"""Struck and plucked strings: guitar, electric bass and piano, each a sum of decaying partials.

Partial n of a stiff string lies at n f0 sqrt(1 + B n^2) (Fletcher, Blackham and Stratton, "Quality of Piano Tones",
1962); one that is plucked or struck at a share x of its length starts with partials of |sin(pi n x)|, as any
textbook derives (Fletcher and Rossing, *The Physics of Musical Instruments*, 1998). A piano's key has two strings
slightly apart, one of which decays sooner: after the two-stage decay of Weinreich, "Coupled Piano Strings", 1977.
Stiffness, decays and brightness are chosen by ear within what such instruments have.
"""

import numpy as np
from scipy.signal import oaconvolve

from nca.data.demo.playing import Tone, place, saturate
from nca.data.demo.signals import RATE, hertz, high_pass, low_pass, ring


def guitar(rng: np.random.Generator, brightness: float, sustain: float, partials: int = 44) -> Tone:
    """A guitar string.

    Args:
        rng: what draws the instrument and then its notes.
        brightness: 0 to 1.
        sustain: seconds in which the first partial falls by 60 dB.
        partials: how many are summed.
    """
    position = rng.uniform(0.11, 0.24)
    body = rng.uniform(0.6, 1.4, partials)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        base = hertz(pitch) * 2 ** (rng.normal(0.0, 3.0) / 1200)
        number, frequency = stiff_partials(base, partials, 6e-5)
        amplitude = comb(number, position) * body / number ** (1.8 - 0.9 * brightness)
        decay = damped(sustain, frequency, 900.0 + 2600.0 * brightness, 1.1)
        sound = ring(frequency, decay, amplitude, int(seconds * RATE), rng.uniform(0, 0.6, partials))
        place(sound, 0.12 * brightness * contact(rng, 600, 120), 0.0)
        return sound

    return tone


def bass_guitar(rng: np.random.Generator, corner: tuple[float, float], click: float) -> Tone:
    """An electric bass string.

    Args:
        rng: what draws the instrument and then its notes.
        corner: range in Hz of the frequency above which its partials weaken.
        click: gain of the finger's or pick's noise.
    """
    bright, position = rng.uniform(*corner), rng.uniform(0.12, 0.22)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        number, frequency = stiff_partials(hertz(pitch), 36, 8e-5)
        amplitude = damped(comb(number, position) / number, frequency, bright, 1.6)
        decay = damped(5.0, frequency, 1000.0, 1.1)
        sound = ring(frequency, decay, amplitude, int(seconds * RATE), rng.uniform(0, 0.5, 36))
        place(sound, click * low_pass(contact(rng, 900, 160), 4 * bright), 0.0)
        sound[:80] *= np.linspace(0, 1, 80)
        return sound

    return tone


def piano(rng: np.random.Generator) -> Tone:
    """A piano: two strings a key, and the hammer's knock."""
    hardness = rng.uniform(0.4, 1.0)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        number, frequency = stiff_partials(hertz(pitch), 30, 2.5e-4 * 2 ** ((pitch - 60) / 14))
        amplitude = comb(number, 1 / 7.6) / number**1.15 * np.exp(-frequency / (1500.0 + 3500.0 * hardness))
        decay = damped(9.0 * 2 ** ((48 - pitch) / 16), frequency, 2200.0, 1.2)
        apart = 1.0 + rng.uniform(2e-4, 9e-4)
        pair = np.concatenate([frequency, frequency * apart]), np.concatenate([decay, decay * 0.35])
        sound = ring(*pair, np.concatenate([amplitude, 0.8 * amplitude]), int(seconds * RATE))
        place(sound, 0.10 * low_pass(contact(rng, 2200, 350), 900.0), 0.0)
        return sound

    return tone


def stiff_partials(base: float | np.ndarray, count: int, stiffness: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers 1 to `count` and frequencies in Hz of a stiff string's partials, each (count,)."""
    number = np.arange(1, count + 1)
    return number, base * number * np.sqrt(1.0 + stiffness * number**2)


def comb(number: np.ndarray, position: float) -> np.ndarray:
    """Strengths of the partials of a string that is set off at a share of its length."""
    return np.abs(np.sin(np.pi * number * position))


def damped(value: float | np.ndarray, frequency: np.ndarray, corner: float, power: float) -> np.ndarray:
    """A decay time or strength that lessens towards high frequencies, halved at the corner."""
    return value / (1.0 + (frequency / corner) ** power)


def contact(rng: np.random.Generator, samples: int, fall: float) -> np.ndarray:
    """The noise of finger, pick or hammer on the string, which falls by e in `fall` samples."""
    return rng.standard_normal(samples) * np.exp(-np.arange(samples) / fall)


def amplifier(signal: np.ndarray, drive: float) -> np.ndarray:
    """An overdriven guitar amplifier and its loudspeaker."""
    return low_pass(high_pass(saturate(high_pass(signal, 110.0), drive), 90.0), 4600.0, 4)


def resonant_body(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wooden body: two dozen gentle resonances beside the direct sound."""
    centres = 110.0 * 2.0 ** rng.uniform(0.0, 5.4, 24)
    strength = rng.uniform(-1.0, 1.0, 24) * 12.0 / RATE * centres**0.5
    response = ring(centres, 40.0 / centres + 0.01, strength, 6000, np.pi / 2)
    response[0] += 1.0
    return oaconvolve(signal, response)[: len(signal)]
