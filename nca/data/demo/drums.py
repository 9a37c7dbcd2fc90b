"""A drum kit and its player.

Skins are sines that fall in pitch, as in analogue drum machines; the snare's modes stand at the first three ratios of
an ideal circular membrane, 1 : 1.59 : 2.14 (Fletcher and Rossing, *The Physics of Musical Instruments*, 1998); metal
is noise and random partials. All other numbers are chosen by ear.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from nca.data.demo.playing import place, saturate
from nca.data.demo.room import pan
from nca.data.demo.score import Score
from nca.data.demo.signals import RATE, band_pass, fading, high_pass, low_pass, ring

Hit = Callable[[np.random.Generator], np.ndarray]
TAKES = 3  # recordings of each drum; hits choose among them
LOUD = {"o": 0.32, "x": 0.68, "X": 1.0}


def burst(rng: np.random.Generator, seconds: float, decay: float) -> np.ndarray:
    """White noise that falls by 60 dB in `decay` seconds."""
    count = int(seconds * RATE)
    return rng.standard_normal(count) * fading(count, decay)


def swept(top: float, bottom: float, fall: float, decay: float, seconds: float) -> np.ndarray:
    """A struck skin: a sine that falls from `top` to `bottom` Hz and dies away."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = bottom + (top - bottom) * np.exp(-time / fall)
    return np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * fading(len(time), decay)


def draw_kick(rng: np.random.Generator, kind: str) -> Hit:
    """A bass drum: a swept skin and the beater's click."""
    machine = kind == "machine"
    deep, click = rng.uniform(44.0, 62.0), rng.uniform(0.04, 0.25) * (0.4 if kind == "brushes" else 1.0)
    boom = rng.uniform(0.35, 0.8) if machine else rng.uniform(0.22, 0.45)

    def hit(rng: np.random.Generator) -> np.ndarray:
        skin = swept(deep * (4.5 if machine else 3.2), deep, 0.022, boom, 0.5)
        return saturate(skin, 0.8) + click * band_pass(burst(rng, 0.5, 0.03), 1200.0, 5200.0)

    return hit


def draw_snare(rng: np.random.Generator, kind: str) -> Hit:
    """A snare drum: three modes of its skins and the rattle of the wires."""
    tuned, wires = rng.uniform(165.0, 230.0) * np.array([1.0, 1.59, 2.14]), rng.uniform(0.10, 0.26)
    skin, rattle = (0.3, 0.3) if kind == "brushes" else (0.65, 0.45)

    def hit(rng: np.random.Generator) -> np.ndarray:
        modes = ring(tuned, np.array([0.2, 0.14, 0.1]), np.array([1, 0.5, 0.3]), int(0.4 * RATE))
        noise = high_pass(burst(rng, 0.4, wires), 1100.0) + 0.5 * band_pass(burst(rng, 0.4, 0.1), 300.0, 2500.0)
        return skin * modes + rattle * low_pass(noise, 11000.0)

    return hit


def draw_hat(rng: np.random.Generator, decay: float) -> Hit:
    """A hi-hat: noise and a few inharmonic partials above an edge."""
    metal, edge = rng.uniform(2400.0, 9500.0, 9), rng.uniform(5200.0, 7800.0)
    seconds = 1.3 * decay

    def hit(rng: np.random.Generator) -> np.ndarray:
        noise = burst(rng, seconds, decay)
        plate = ring(metal * rng.uniform(0.995, 1.005, 9), np.full(9, decay), np.full(9, 0.22), len(noise))
        return 0.7 * high_pass(0.5 * noise + plate, edge)

    return hit


def tom(pitch: float, rng: np.random.Generator) -> np.ndarray:
    """A tom of so many Hz."""
    return swept(1.5 * pitch, pitch, 0.06, 0.5, 0.6) + 0.08 * band_pass(burst(rng, 0.6, 0.08), 400.0, 3000.0)


def crash(rng: np.random.Generator) -> np.ndarray:
    """A crash cymbal: many inharmonic partials over noise."""
    partials = 350.0 * 2.0 ** rng.uniform(0.0, 5.2, 90)
    decay = rng.uniform(0.8, 3.0, 90) / (1 + partials / 7000.0)
    noise = burst(rng, 2.2, 1.8)
    plate = ring(partials, decay, rng.uniform(0.0, 0.08, 90), len(noise), rng.uniform(0, 6, 90))
    return high_pass(0.3 * noise + plate, 900.0, 1)


def draw_kit(rng: np.random.Generator, kind: str) -> dict[str, tuple[Hit, float, float]]:
    """The drums of an acoustic, brushes or machine kit: each one's hit, gain and seat from left (-1) to right (1)."""
    tuning = rng.uniform(0.85, 1.2)
    return {
        "kick": (draw_kick(rng, kind), 1.0, 0.0),
        "snare": (draw_snare(rng, kind), 0.75, 0.05),
        "hat": (draw_hat(rng, rng.uniform(0.05, 0.1)), 0.22, 0.35),
        "open": (draw_hat(rng, rng.uniform(0.25, 0.5)), 0.22, 0.35),
        "tom": (partial(tom, 150.0 * tuning), 0.7, -0.25),
        "low tom": (partial(tom, 95.0 * tuning), 0.8, 0.3),
        "crash": (crash, 0.35, -0.45),
    }


def write_hits(score: Score, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Every hit as (drum, start in seconds, loudness): the style's groove, fills each fourth bar, crashes after."""
    groove = {drum: str(rng.choice(getattr(score.manner, drum))) for drum in ("kick", "snare", "hat")}
    opening = rng.random() < 0.5
    hits = []
    for index, chord in enumerate(score.chords):
        fill, full = index % 4 == 3 and rng.random() < 0.6, chord.energy > 0.8
        for drum, pattern in groove.items():
            if chord.energy < 0.4 and drum != "hat":
                continue
            for slot, mark, _ in score.strokes(pattern):
                if (fill and slot >= score.slots - 4 and drum != "kick") or rng.random() < 0.03:
                    continue
                name = "open" if drum == "hat" and opening and slot % 8 == 6 and full else drum
                hits.append((name, score.swung(chord, slot), LOUD[mark] * (0.55 + 0.45 * chord.energy)))
        if fill:  # one beat of sixteenths down the drums
            order = ("snare", "snare" if rng.random() < 0.5 else "tom", "tom", "low tom")
            beat, step = chord.start + (score.slots - 4) * score.sixteenth, score.sixteenth
            hits += [(drum, beat + place * step, 0.6 + 0.1 * place) for place, drum in enumerate(order)]
        if index % 4 == 0 and full:
            hits.append(("crash", chord.start, 0.8))
    return hits


def play_drums(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The drum track, stereo (2, samples), before its room."""
    kit = draw_kit(rng, score.manner.kit)
    takes = {drum: [hit(rng) for _ in range(TAKES)] for drum, (hit, _, _) in kit.items()}
    tight = 0.001 if score.manner.kit == "machine" else 0.006
    tracks = {drum: np.zeros(samples) for drum in kit}
    for drum, start, loudness in write_hits(score, rng):
        sound = takes[drum][int(rng.integers(TAKES))] * loudness * rng.uniform(0.85, 1.1)
        place(tracks[drum], sound, start + rng.normal(0.0, tight))
    total = np.zeros((2, samples))
    for drum, (_, gain, seat) in kit.items():
        total += pan(gain * rng.uniform(0.75, 1.3) * tracks[drum], seat)
    return total
