"""What sounds as long as it is played: bowed strings, an organ, synthesisers.

All but the organ are subtractive synthesis: a band-limited pulse train, integrated to a sawtooth, under filters. The
organ sums sinusoids at the pitches of a Hammond's drawbars (all but the lowest). Every number is chosen by ear.
"""

import numpy as np
from scipy.signal import lfilter

from nca.data.demo.playing import Tone, place
from nca.data.demo.score import Note
from nca.data.demo.signals import (
    RATE,
    TICK,
    band_pass,
    blend,
    hertz,
    high_pass,
    low_pass,
    pulses,
    ring,
    stretch,
    tick_count,
    wander,
)
from nca.data.demo.strings import resonant_body

DRAWBARS = np.array([1, 2, 3, 4, 6, 8, 1.5, 5])  # times the key's frequency
DRAWN = np.array([1.0, 0.7, 0.6, 0.4, 0.25, 0.25, 0.4, 0.15])  # how far each is pulled at most


def organ(rng: np.random.Generator) -> Tone:
    """A drawbar organ through a rotating loudspeaker, with a click at its start."""
    strength = DRAWN * rng.uniform(0.2, 1.0, 8)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        count = int(seconds * RATE)
        sound = ring(hertz(pitch) * DRAWBARS, np.full(8, 1e4), strength, count, rng.uniform(0, 6, 8))
        time = np.arange(count) / RATE
        sound *= 1.0 + 0.18 * np.sin(2 * np.pi * 6.3 * time + rng.uniform(0, 6))
        sound *= np.clip(time / 0.006, 0, 1)
        sound[:200] += 0.2 * rng.standard_normal(200) * np.linspace(1, 0, 200)
        return sound

    return tone


def synth_pluck(rng: np.random.Generator) -> Tone:
    """A synthesiser's short note: a sawtooth under a filter that closes."""
    fall, top = rng.uniform(0.10, 0.35), rng.uniform(2500.0, 7000.0)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        count = int(seconds * RATE)
        track = hertz(pitch) * 2 ** (6.0 * wander(rng, count, 1.0) / 1200)
        saw = sawtooth(pulses(stretch(track, count), rng.uniform(0, 6))[0])
        opened = np.exp(-np.arange(count) / RATE / fall)
        return blend(0.5 * low_pass(saw, 700.0), low_pass(saw, top), opened) * opened**0.5

    return tone


def synth_bass(rng: np.random.Generator) -> Tone:
    """A synthesiser's bass: a sawtooth with a sine at its pitch under a closing filter."""
    corner, fall = rng.uniform(500.0, 1600.0), rng.uniform(0.12, 0.4)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        base = np.full(int(seconds * RATE), hertz(pitch))
        saw = sawtooth(pulses(base)[0], 0.04, 0.99)
        sine = np.sin(2 * np.pi * np.cumsum(base) / RATE)
        opened = np.exp(-np.arange(len(base)) / RATE / fall)
        sound = sine + blend(low_pass(saw, 220.0), low_pass(saw, corner), opened)
        sound[:120] *= np.linspace(0, 1, 120)
        return sound

    return tone


def synth_pad(notes: list[Note], samples: int, rng: np.random.Generator) -> np.ndarray:
    """A synthesiser's pad, (samples,): detuned saws under a filter that opens and closes slowly."""
    track = np.zeros(samples)
    for note in notes:
        place(track, ensemble(note, rng, attack=0.18, vibrato=4.0, players=2), note.start)
    saw = sawtooth(track)
    opened = 0.5 + 0.5 * np.tanh(stretch(wander(rng, samples, 0.4), samples))
    return high_pass(blend(low_pass(saw, 900.0), low_pass(saw, 4200.0), opened), 160.0)


def bowed(
    notes: list[Note], samples: int, rng: np.random.Generator, attack: float, vibrato: float, players: int
) -> np.ndarray:
    """A bowed part, (samples,): sawtooths, the bow's noise and a wooden body.

    Args:
        notes: what is played.
        samples: length of the track.
        rng: what draws the players' deviations.
        attack: seconds until a note is at its loudest.
        vibrato: its depth in cents.
        players: how many play each note.
    """
    track = np.zeros(samples)
    for note in notes:
        place(track, ensemble(note, rng, attack, vibrato, players), note.start + rng.normal(0.0, 0.012))
    saw = sawtooth(track)
    level = np.abs(low_pass(np.abs(saw), 8.0))
    noise = 0.015 * band_pass(rng.standard_normal(samples), 1500.0, 7000.0) * level
    return high_pass(resonant_body(low_pass(saw, 5200.0) + noise, rng), 130.0)


def ensemble(note: Note, rng: np.random.Generator, attack: float, vibrato: float, players: int) -> np.ndarray:
    """One note's pulse trains by detuned players, each with a vibrato of its own, under a slow attack: (samples,)."""
    count = int((note.length + 0.25) * RATE)
    time = np.arange(tick_count(count)) * TICK / RATE
    total = np.zeros(count)
    for _ in range(players):
        rate, start = rng.uniform(4.6, 6.3), rng.uniform(0, 6)
        depth = vibrato * np.clip(time / 0.4, 0, 1) * np.sin(2 * np.pi * rate * time + start)
        cents = depth + rng.normal(0.0, 6.0 if players > 1 else 3.0) + 7.0 * wander(rng, count, 4.0)
        total += pulses(stretch(hertz(note.pitch) * 2 ** (cents / 1200), count), rng.uniform(0, 6))[0]
    rise = np.clip(time / attack, 0, 1)
    fall = np.clip((note.length + 0.25 - time) / 0.3, 0, 1)
    shape = np.sin(0.5 * np.pi * rise) ** 2 * fall * (1.0 + 0.2 * wander(rng, count, 2.5))
    return total * stretch(note.velocity / players * shape, count)


def sawtooth(train: np.ndarray, gain: float = 0.06, leak: float = 0.985) -> np.ndarray:
    """A pulse train integrated, with a leak that keeps it about zero."""
    return lfilter([gain], [1.0, -leak], train)
