"""A drum kit and its player."""

from collections.abc import Callable

import numpy as np

from nca.corpus.playing import place, saturate
from nca.corpus.room import pan
from nca.corpus.score import Score
from nca.corpus.signals import RATE, band_pass, high_pass, low_pass, ring

Hit = Callable[[np.random.Generator], np.ndarray]
TAKES = 3  # recordings of each drum; hits choose among them
LOUD = {"o": 0.32, "x": 0.68, "X": 1.0}


def burst(rng: np.random.Generator, seconds: float, decay: float) -> np.ndarray:
    """White noise that falls by 60 dB in `decay` seconds."""
    count = int(seconds * RATE)
    return rng.standard_normal(count) * np.exp(-6.91 * np.arange(count) / RATE / decay)


def swept(top: float, bottom: float, fall: float, decay: float, seconds: float) -> np.ndarray:
    """A struck skin: a sine that falls from `top` to `bottom` Hz and dies away."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = bottom + (top - bottom) * np.exp(-time / fall)
    return np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-6.91 * time / decay)


def draw_kit(rng: np.random.Generator, kind: str) -> dict[str, Hit]:
    """The drums of a kit; kind is acoustic, brushes or machine."""
    machine, soft = kind == "machine", kind == "brushes"
    deep, click = rng.uniform(44.0, 62.0), rng.uniform(0.04, 0.25) * (0.4 if soft else 1.0)
    boom = rng.uniform(0.35, 0.8) if machine else rng.uniform(0.22, 0.45)
    tuned, wires = rng.uniform(165.0, 230.0), rng.uniform(0.10, 0.26)
    metal = rng.uniform(2400.0, 9500.0, 9)
    edge = rng.uniform(5200.0, 7800.0)

    def kick(rng: np.random.Generator) -> np.ndarray:
        skin = swept(deep * (4.5 if machine else 3.2), deep, 0.022, boom, 0.5)
        beater = band_pass(burst(rng, 0.5, 0.03), 1200.0, 5200.0)
        return saturate(skin, 0.8) + click * beater

    def snare(rng: np.random.Generator) -> np.ndarray:
        modes = ring(tuned * np.array([1, 1.59, 2.14]), np.array([0.2, 0.14, 0.1]), np.array([1, 0.5, 0.3]), 17640)
        rattle = high_pass(burst(rng, 0.4, wires), 1100.0) + 0.5 * band_pass(burst(rng, 0.4, 0.1), 300.0, 2500.0)
        return (0.3 if soft else 0.65) * modes + (0.3 if soft else 0.45) * low_pass(rattle, 11000.0)

    def hat(rng: np.random.Generator, decay: float = 0.07) -> np.ndarray:
        count = int(1.3 * max(decay, 0.06) * RATE)
        plate = ring(metal * rng.uniform(0.995, 1.005, 9), np.full(9, decay), np.full(9, 0.22), count)
        return high_pass(burst(rng, count / RATE, decay)[:count] * 0.5 + plate[:count], edge) * 0.7

    def tom(rng: np.random.Generator, top: float = 150.0) -> np.ndarray:
        return swept(1.5 * top, top, 0.06, 0.5, 0.6) + 0.08 * band_pass(burst(rng, 0.6, 0.08), 400.0, 3000.0)

    def crash(rng: np.random.Generator) -> np.ndarray:
        partials = 350.0 * 2.0 ** rng.uniform(0.0, 5.2, 90)
        decay = rng.uniform(0.8, 3.0, 90) / (1 + partials / 7000.0)
        plate = ring(partials, decay, rng.uniform(0.0, 0.08, 90), int(2.2 * RATE), rng.uniform(0, 6, 90))
        return high_pass(0.3 * burst(rng, 2.2, 1.8) + plate, 900.0, 1)

    def open_hat(rng: np.random.Generator) -> np.ndarray:
        return hat(rng, 0.38)

    def low_tom(rng: np.random.Generator) -> np.ndarray:
        return tom(rng, 95.0)

    return {
        "kick": kick, "snare": snare, "hat": hat, "open": open_hat, "tom": tom, "low tom": low_tom, "crash": crash,
    }  # fmt: skip


# mix: gain of each drum and its place from left (-1) to right (1)
SEATS = {
    "kick": (1.0, 0.0),
    "snare": (0.75, 0.05),
    "hat": (0.22, 0.35),
    "open": (0.22, 0.35),
    "tom": (0.7, -0.25),
    "low tom": (0.8, 0.3),
    "crash": (0.35, -0.45),
}


def write_hits(score: Score, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Every hit as (drum, start in seconds, loudness): the style's groove, fills each fourth bar, crashes after."""
    manner, step = score.manner, score.sixteenth
    groove = {drum: str(rng.choice(getattr(manner, drum))) for drum in ("kick", "snare", "hat")}
    opening = rng.random() < 0.5
    hits = []
    for index, chord in enumerate(score.chords):
        energy = score.energy[index]
        fill = index % 4 == 3 and rng.random() < 0.6
        slots = 4 * score.beats
        for drum, pattern in groove.items():
            if energy < 0.4 and drum != "hat":
                continue
            for slot, mark in enumerate(pattern[:slots]):
                if mark not in LOUD or (fill and slot >= slots - 4 and drum != "kick") or rng.random() < 0.03:
                    continue
                late = manner.swing * step * (slot % 2)
                name = "open" if drum == "hat" and opening and slot % 8 == 6 and energy > 0.8 else drum
                hits.append((name, chord.start + slot * step + late, LOUD[mark] * (0.55 + 0.45 * energy)))
        if fill:
            hits += write_fill(chord.start + (slots - 4) * step, step, rng)
        if index % 4 == 0 and energy > 0.8:
            hits.append(("crash", chord.start, 0.8))
    return hits


def write_fill(start: float, step: float, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """One beat of sixteenths down the drums."""
    order = ["snare", "snare", "tom", "low tom"] if rng.random() < 0.5 else ["snare", "tom", "tom", "low tom"]
    return [(drum, start + slot * step, 0.6 + 0.1 * slot) for slot, drum in enumerate(order)]


def play_drums(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The drum track, stereo (2, samples), before its room."""
    kit = draw_kit(rng, score.manner.kit)
    takes = {drum: [hit(rng) for _ in range(TAKES)] for drum, hit in kit.items()}
    tight = 0.001 if score.manner.kit == "machine" else 0.006
    tracks = {drum: np.zeros(samples) for drum in kit}
    for drum, start, loudness in write_hits(score, rng):
        sound = takes[drum][int(rng.integers(TAKES))] * loudness * rng.uniform(0.85, 1.1)
        place(tracks[drum], sound, start + rng.normal(0.0, tight))
    total = np.zeros((2, samples))
    for drum, track in tracks.items():
        gain, seat = SEATS[drum]
        total += pan(gain * rng.uniform(0.75, 1.3) * track, seat)
    return total
