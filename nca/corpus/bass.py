"""The bass: a line that follows the chords, on a fingered, picked or synthetic instrument."""

import numpy as np
from scipy.signal import lfilter

from nca.corpus.playing import Tone, play, saturate
from nca.corpus.score import Note, Score
from nca.corpus.signals import RATE, hertz, high_pass, low_pass, pulses, ring


def string_tone(rng: np.random.Generator, pick: bool) -> Tone:
    """An electric bass string."""
    corner = rng.uniform(1400.0, 3200.0) if pick else rng.uniform(600.0, 1500.0)
    position = rng.uniform(0.12, 0.22)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        number = np.arange(1, 37)
        frequency = float(hertz(pitch)) * number * np.sqrt(1 + 8e-5 * number**2)
        amplitude = np.abs(np.sin(np.pi * number * position)) / number / (1 + (frequency / corner) ** 1.6)
        decay = 5.0 / (1 + (frequency / 1000.0) ** 1.1)
        sound = ring(frequency, decay, amplitude, int(seconds * RATE), rng.uniform(0, 0.5, 36))
        attack = min(900, len(sound))
        noise = rng.standard_normal(attack) * np.exp(-np.arange(attack) / 160.0)
        sound[:attack] += (0.14 if pick else 0.07) * low_pass(noise, 4 * corner)
        sound[:80] *= np.linspace(0, 1, len(sound[:80]))
        return sound

    return tone


def synth_tone(rng: np.random.Generator) -> Tone:
    """A synthesiser's bass: a sawtooth with a sub-oscillator under a closing filter."""
    corner, fall = rng.uniform(500.0, 1600.0), rng.uniform(0.12, 0.4)

    def tone(pitch: float, seconds: float) -> np.ndarray:
        count = int(seconds * RATE)
        base = np.full(count, float(hertz(pitch)))
        saw = lfilter([0.04], [1.0, -0.99], pulses(base)[0])
        sub = np.sin(2 * np.pi * np.cumsum(base) / RATE)
        closing = np.exp(-np.arange(count) / RATE / fall)
        sound = sub + low_pass(saw, 220.0) * (1 - closing) + low_pass(saw, corner) * closing
        sound[:120] *= np.linspace(0, 1, len(sound[:120]))
        return sound

    return tone


def bass_line(score: Score, pattern: str, rng: np.random.Generator) -> list[Note]:
    """The style's pattern over the chords, between E1 and about D sharp 2, with an octave above on 'o'."""
    notes = []
    for index, chord in enumerate(score.chords):
        root = 28 + (chord.root - 4) % 12
        third = next((tone for tone in chord.tones if (tone - chord.root) % 12 in (3, 4)), chord.root)
        pitches = {"r": root, "f": root + 7, "o": root + 12, "t": root + (third - chord.root) % 12}
        slots = pattern[: 4 * score.beats]
        for place, mark in enumerate(slots):
            if mark not in pitches or (mark != "r" and rng.random() < 0.2):
                continue
            rest = slots[place + 1 :]
            held = len(rest) - len(rest.lstrip("-"))
            length = (1 + held) * score.sixteenth * rng.uniform(0.75, 0.97)
            start = chord.start + place * score.sixteenth
            velocity = 0.6 + 0.25 * score.energy[index] + rng.uniform(-0.08, 0.08)
            notes.append(Note(start, length, float(pitches[mark]), float(velocity)))
    return notes


def play_bass(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The bass track, mono (samples,)."""
    manner = score.manner
    pattern = str(rng.choice(manner.bass))
    notes = bass_line(score, pattern, rng)
    tone = synth_tone(rng) if manner.bass_tone == "synth" else string_tone(rng, manner.bass_tone == "pick")
    track = play(notes, tone, samples, rng, release=0.06, timing=0.006)
    return high_pass(saturate(track, rng.uniform(0.3, 1.1)), 32.0)
