"""Who plays: every part of the styles' line-ups as what it plays on which instrument, and the bass."""

from collections.abc import Callable
from functools import partial

import numpy as np

from nca.data.demo.parts import Range, Writer, bass_line, broken, counter, drawn, struck, sustained, together
from nca.data.demo.playing import Tone, play, saturate
from nca.data.demo.room import pan
from nca.data.demo.score import Note, Score
from nca.data.demo.signals import RATE, high_pass, to_level
from nca.data.demo.strings import amplifier, bass_guitar, guitar, piano, resonant_body
from nca.data.demo.synths import bowed, organ, synth_bass, synth_pad, synth_pluck

Maker = Callable[[np.random.Generator], Tone]
Effect = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Instrument = Callable[[list[Note], int, np.random.Generator], np.ndarray]


def tones(make: Maker, release: float, timing: float = 0.008, effect: Effect | None = None) -> Instrument:
    """An instrument that plays tone by tone, see `play`, and what its sound goes through."""

    def perform(notes: list[Note], samples: int, rng: np.random.Generator) -> np.ndarray:
        track = play(notes, make(rng), samples, rng, release, timing)
        return effect(track, rng) if effect else track

    return perform


def acoustic(brightness: float, sustain: float, release: float, timing: float) -> Instrument:
    """An acoustic guitar."""
    return tones(partial(guitar, brightness=brightness, sustain=sustain), release, timing, resonant_body)


def electric(brightness: float, sustain: float, release: float, timing: float, drive: float = 0.0) -> Instrument:
    """An electric guitar, clean or through an overdriven amplifier."""
    effect = (lambda track, rng: amplifier(track, drive)) if drive else None
    return tones(partial(guitar, brightness=brightness, sustain=sustain), release, timing, effect)


def bows(attack: float | Range, vibrato: float, players: int) -> Instrument:
    """Bowed strings, see `bowed`; the attack in seconds may be a range to draw from."""
    return lambda notes, samples, rng: bowed(notes, samples, rng, drawn(attack, rng), vibrato, players)


PIANO = ("X---x---x---x---", "X-------x---x---", "X-----x-----x---", "X--x--x---x-x---")
STRUM = ("X---x-u-u-x-x-u-", "X-u-x-u-X-u-x-u-", "X---X-u---u-X-u-")
CRUNCH = ("X-x-x-x-X-x-x-x-", "X---X-x---x-X---", "X---------------", "X-x-.-x-X-x-.-x-")
SCRATCH = ("..x...x.xx..x..x", "x..x..x...x.x..x", "..xx..x...xx.x..")
STABS = ("X..............x", "....x.....X.....", "X--...x-........")

PARTS: dict[str, tuple[Writer, Instrument]] = {
    "piano": (struck((50, 58), 4, 0.004, *PIANO), tones(piano, 0.18)),
    "organ": (sustained((55, 56), 4), tones(organ, 0.05)),
    "strum": (struck((43, 48), 6, (0.008, 0.016), *STRUM), acoustic(0.75, 4.0, 0.08, 0.004)),
    "arpeggio": (broken((45, 52), 6, every=2), acoustic(0.6, 5.0, 0.10, 0.007)),
    "crunch": (struck((40, 45), 3, 0.004, *CRUNCH), electric(0.6, 6.0, 0.04, 0.005, drive=2.5)),
    "scratch": (
        struck((57, 62), 4, 0.003, *SCRATCH),
        electric(0.95, 1.2, 0.03, 0.004),
    ),
    "lead": (counter((55, 62)), electric(0.8, 8.0, 0.08, 0.008, drive=5.0)),
    "fiddle": (counter((57, 65)), bows(0.07, vibrato=28.0, players=1)),
    "strings": (together(sustained((52, 60), 3), counter((60, 68))), bows((0.1, 0.3), vibrato=18.0, players=2)),
    "pad": (sustained((48, 57), 4), synth_pad),
    "stabs": (struck((55, 62), 4, 0.0, *STABS), tones(synth_pluck, 0.15)),
    "sequence": (broken((57, 66), 4, every=1, hold=1.6), tones(synth_pluck, 0.08, 0.001)),
}
BASSES: dict[str, Maker] = {
    "finger": partial(bass_guitar, corner=(600.0, 1500.0), click=0.07),
    "pick": partial(bass_guitar, corner=(1400.0, 3200.0), click=0.14),
    "synth": synth_bass,
}


def play_bass(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The bass track, mono (samples,)."""
    notes = bass_line(score, rng)
    track = play(notes, BASSES[score.manner.bass_tone](rng), samples, rng, release=0.06, timing=0.006)
    return high_pass(saturate(track, rng.uniform(0.3, 1.1)), 32.0)


def play_band(score: Score, line_up: tuple[str, ...], samples: int, rng: np.random.Generator) -> np.ndarray:
    """The accompaniment beside bass and drums, stereo (2, samples), its parts spread over the stage."""
    total = np.zeros((2, samples))
    seats = rng.permutation(np.linspace(-0.6, 0.6, len(line_up)))
    for order, (part, seat) in enumerate(zip(line_up, seats, strict=True)):
        write, perform = PARTS[part]
        track = perform(write(score, rng), samples, rng)
        if order:
            track = track * presence(score, samples, rng)
        total += pan(to_level(track, rng.uniform(-3.0, 3.0)), float(seat))
    return total


def presence(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A gain (samples,) that leaves a part out, softens it or lets it play, four bars at a time."""
    section = 4 * score.chords[0].length
    gains = rng.choice([0.0, 0.5, 1.0], int(np.ceil(score.seconds / section)) + 1, p=[0.2, 0.2, 0.6])
    gains[0] = max(gains[0], 0.5)
    edges = np.arange(1, len(gains)) * section
    times = np.sort(np.concatenate([[0.0], edges - 0.03, edges + 0.03]))
    return np.interp(np.arange(samples) / RATE, times, np.repeat(gains, 2)[: len(times)])
