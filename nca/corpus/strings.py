"""Strings: plucked (guitars) and bowed (sections, pads, a fiddle)."""

import numpy as np
from scipy.signal import lfilter, oaconvolve

from nca.corpus.playing import Tone, place, saturate
from nca.corpus.score import Note
from nca.corpus.signals import (
    RATE,
    TICK,
    band_pass,
    hertz,
    high_pass,
    low_pass,
    pulses,
    ring,
    stretch,
    tick_count,
    wander,
)


def pluck(rng: np.random.Generator, brightness: float, sustain: float, partials: int = 44) -> Tone:
    """A guitar string: stiff partials whose decay shortens upwards, shaped by where it is plucked.

    brightness 0 to 1, sustain as the seconds in which the first partial falls by 60 dB.
    """
    position = rng.uniform(0.11, 0.24)
    body = rng.uniform(0.6, 1.4, partials)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        number = np.arange(1, partials + 1)
        base = float(hertz(pitch)) * 2 ** (rng.normal(0.0, 3.0) / 1200)
        frequency = base * number * np.sqrt(1.0 + 6e-5 * number**2)
        amplitude = np.abs(np.sin(np.pi * number * position)) * body / number ** (1.8 - 0.9 * brightness)
        decay = sustain / (1.0 + (frequency / (900.0 + 2600.0 * brightness)) ** 1.1)
        sound = ring(frequency, decay, amplitude, int(seconds * RATE), rng.uniform(0, 0.6, partials))
        noise = rng.standard_normal(min(600, len(sound))) * np.exp(-np.arange(min(600, len(sound))) / 120)
        sound[: len(noise)] += 0.12 * brightness * noise
        return sound

    return tone


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


def bowed_note(note: Note, rng: np.random.Generator, attack: float, vibrato: float, voices: int) -> np.ndarray:
    """A sawtooth-like note of several detuned players with vibrato of their own and a slow attack, (samples,)."""
    count = int((note.length + 0.25) * RATE)
    time = np.arange(tick_count(count)) * TICK / RATE
    total = np.zeros(count)
    for _ in range(voices):
        rate, start = rng.uniform(4.6, 6.3), rng.uniform(0, 6)
        depth = vibrato * np.clip(time / 0.4, 0, 1) * np.sin(2 * np.pi * rate * time + start)
        cents = depth + rng.normal(0.0, 6.0 if voices > 1 else 3.0) + 7.0 * wander(rng, count, 4.0)
        track = float(hertz(note.pitch)) * 2 ** (cents / 1200)
        train, _ = pulses(stretch(track, count), rng.uniform(0, 6))
        total += train
    rise = np.clip(time / attack, 0, 1)
    fall = np.clip((note.length + 0.25 - time) / 0.3, 0, 1)
    shape = np.sin(0.5 * np.pi * rise) ** 2 * fall * (1.0 + 0.2 * wander(rng, count, 2.5))
    return total * stretch(note.velocity / voices * shape, count)


def bowed(
    notes: list[Note], samples: int, rng: np.random.Generator, attack: float, vibrato: float, voices: int
) -> np.ndarray:
    """A bowed part, (samples,): pulse trains integrated to sawtooth slopes, then bow noise and a body."""
    track = np.zeros(samples)
    for note in notes:
        place(track, bowed_note(note, rng, attack, vibrato, voices), note.start + rng.normal(0.0, 0.012))
    saw = lfilter([0.06], [1.0, -0.985], track)
    level = np.abs(low_pass(np.abs(saw), 8.0))
    noise = 0.015 * band_pass(rng.standard_normal(samples), 1500.0, 7000.0) * level
    return high_pass(resonant_body(low_pass(saw, 5200.0) + noise, rng), 130.0)


def synth_pad(notes: list[Note], samples: int, rng: np.random.Generator) -> np.ndarray:
    """A synthesiser's pad, (samples,): detuned saws under a filter that opens and closes slowly."""
    track = np.zeros(samples)
    for note in notes:
        place(track, bowed_note(note, rng, 0.18, 4.0, 2), note.start)
    saw = lfilter([0.06], [1.0, -0.985], track)
    opened = 0.5 + 0.5 * np.tanh(stretch(wander(rng, samples, 0.4), samples))
    return high_pass(low_pass(saw, 900.0) * (1.0 - opened) + low_pass(saw, 4200.0) * opened, 160.0)
