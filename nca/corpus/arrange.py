"""Who plays what: the parts of a style's line-up, written over the chords and played."""

import itertools
from collections.abc import Callable

import numpy as np

from nca.corpus.keys import organ, piano, synth_pluck
from nca.corpus.playing import play
from nca.corpus.room import pan
from nca.corpus.score import Chord, Note, Score
from nca.corpus.signals import RATE, rms
from nca.corpus.strings import amplifier, bowed, pluck, resonant_body, synth_pad

Player = Callable[[Score, int, np.random.Generator], np.ndarray]


def voicing(chord: Chord, low: int, count: int) -> list[int]:
    """`count` chord tones upwards from MIDI pitch `low`."""
    pitches = [pitch for pitch in range(low, low + 48) if pitch % 12 in chord.tones]
    return pitches[:count]


def struck(score: Score, pattern: str, low: int, count: int, rng: np.random.Generator, spread: float) -> list[Note]:
    """Chords struck where the pattern of sixteenths says, their tones `spread` seconds apart."""
    notes = []
    for index, chord in enumerate(score.chords):
        slots = pattern[: 4 * score.beats]
        for slot, mark in enumerate(slots):
            if mark in ".-":
                continue
            rest = slots[slot + 1 :]
            held = len(rest) - len(rest.lstrip("-"))
            start = chord.start + (slot + score.manner.swing * (slot % 2)) * score.sixteenth
            loud = (0.9 if mark == "X" else 0.65) * (0.5 + 0.5 * score.energy[index]) * rng.uniform(0.85, 1.1)
            pitches = voicing(chord, low, count)
            for order, pitch in enumerate(pitches if mark != "u" else pitches[::-1][:3]):
                notes.append(Note(start + order * spread, (1 + held) * score.sixteenth, float(pitch), loud))
    return notes


def broken(score: Score, low: int, count: int, every: int, rng: np.random.Generator) -> list[Note]:
    """Chords picked apart, one tone each `every` sixteenths, left to ring for the rest of the bar."""
    order = rng.permutation(count)
    notes = []
    for index, chord in enumerate(score.chords):
        pitches = voicing(chord, low, count)
        for step, slot in enumerate(range(0, 4 * score.beats, every)):
            pitch = pitches[order[step % count]] if slot else pitches[0]
            start = chord.start + slot * score.sixteenth
            length = min(chord.length - slot * score.sixteenth, 6 * every * score.sixteenth)
            loud = (0.75 if slot % 4 == 0 else 0.55) * (0.5 + 0.5 * score.energy[index]) * rng.uniform(0.85, 1.1)
            notes.append(Note(start, length, float(pitch), float(loud)))
    return notes


def sustained(score: Score, low: int, count: int, rng: np.random.Generator) -> list[Note]:
    """Whole bars of harmony, softer in the verses."""
    return [
        Note(chord.start, chord.length, float(pitch), 0.4 + 0.5 * score.energy[index])
        for index, chord in enumerate(score.chords)
        for pitch in voicing(chord, low, count)
    ]


def counter(score: Score, low: int, rng: np.random.Generator) -> list[Note]:
    """A slow second melody of chord tones, two or three a bar, that may cross the voice."""
    notes, last = [], low + 7
    for index, chord in enumerate(score.chords):
        cuts = [*sorted({0, *rng.choice(np.arange(2, 4 * score.beats, 2), 2).tolist()}), 4 * score.beats]
        for first, stop in itertools.pairwise(cuts):
            choices = [p for p in range(low, low + 20) if p % 12 in chord.tones and abs(p - last) <= 7] or [last]
            last = int(rng.choice(choices))
            if rng.random() < 0.85:
                start = chord.start + first * score.sixteenth
                loud = 0.5 + 0.4 * score.energy[index]
                notes.append(Note(start, (stop - first) * score.sixteenth * 0.95, float(last), loud))
    return notes


def play_piano(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    pattern = str(rng.choice(["X---x---x---x---", "X-------x---x---", "X-----x-----x---", "X--x--x---x-x---"]))
    notes = struck(score, pattern, int(rng.integers(50, 58)), 4, rng, 0.004)
    return play(notes, piano(rng), samples, rng, release=0.18)


def play_organ(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    return play(sustained(score, 55, 4, rng), organ(rng), samples, rng, release=0.05)


def play_strum(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    pattern = str(rng.choice(["X---x-u-u-x-x-u-", "X-u-x-u-X-u-x-u-", "X---X-u---u-X-u-"]))
    notes = struck(score, pattern, int(rng.integers(43, 48)), 6, rng, rng.uniform(0.008, 0.016))
    return resonant_body(play(notes, pluck(rng, 0.75, 4.0), samples, rng, release=0.08, timing=0.004), rng)


def play_arpeggio(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    notes = broken(score, int(rng.integers(45, 52)), 6, 2, rng)
    return resonant_body(play(notes, pluck(rng, 0.6, 5.0), samples, rng, release=0.10, timing=0.007), rng)


def play_crunch(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    pattern = str(rng.choice(["X-x-x-x-X-x-x-x-", "X---X-x---x-X---", "X---------------", "X-x-.-x-X-x-.-x-"]))
    notes = struck(score, pattern, 40 + int(rng.integers(0, 5)), 3, rng, 0.004)
    return amplifier(play(notes, pluck(rng, 0.6, 6.0), samples, rng, release=0.04, timing=0.005), 2.5)


def play_scratch(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    pattern = str(rng.choice(["..x...x.xx..x..x", "x..x..x...x.x..x", "..xx..x...xx.x.."]))
    notes = struck(score, pattern, int(rng.integers(57, 62)), 4, rng, 0.003)
    return play(notes, pluck(rng, 0.95, 1.2), samples, rng, release=0.03, timing=0.004)


def play_lead(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    notes = counter(score, int(rng.integers(55, 62)), rng)
    return amplifier(play(notes, pluck(rng, 0.8, 8.0), samples, rng, release=0.08), 5.0)


def play_fiddle(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    return bowed(counter(score, int(rng.integers(57, 65)), rng), samples, rng, attack=0.07, vibrato=28.0, voices=1)


def play_strings(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    notes = sustained(score, int(rng.integers(52, 60)), 3, rng) + counter(score, int(rng.integers(60, 68)), rng)
    return bowed(notes, samples, rng, attack=rng.uniform(0.1, 0.3), vibrato=18.0, voices=2)


def play_pad(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    return synth_pad(sustained(score, int(rng.integers(48, 57)), 4, rng), samples, rng)


def play_stabs(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    pattern = str(rng.choice(["X..............x", "....x.....X.....", "X--...x-........"]))
    notes = struck(score, pattern, int(rng.integers(55, 62)), 4, rng, 0.0)
    return play(notes, synth_pluck(rng), samples, rng, release=0.15)


def play_sequence(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    notes = broken(score, int(rng.integers(57, 66)), 4, 1, rng)
    short = [Note(note.start, 1.6 * score.sixteenth, note.pitch, note.velocity) for note in notes]
    return play(short, synth_pluck(rng), samples, rng, release=0.08, timing=0.001)


PLAYERS: dict[str, Player] = {
    "piano": play_piano,
    "organ": play_organ,
    "strum": play_strum,
    "arpeggio": play_arpeggio,
    "crunch": play_crunch,
    "scratch": play_scratch,
    "lead": play_lead,
    "fiddle": play_fiddle,
    "strings": play_strings,
    "pad": play_pad,
    "stabs": play_stabs,
    "sequence": play_sequence,
}


def presence(score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A gain (samples,) that leaves a part out, softens it or lets it play, four bars at a time."""
    section = 4 * score.chords[0].length
    gains = rng.choice([0.0, 0.5, 1.0], int(np.ceil(score.seconds / section)) + 1, p=[0.2, 0.2, 0.6])
    gains[0] = max(gains[0], 0.5)
    edges = np.arange(1, len(gains)) * section
    times = np.sort(np.concatenate([[0.0], edges - 0.03, edges + 0.03]))
    return np.interp(np.arange(samples) / RATE, times, np.repeat(gains, 2)[: len(times)])


def play_band(score: Score, line_up: tuple[str, ...], samples: int, rng: np.random.Generator) -> np.ndarray:
    """The accompaniment beside bass and drums, stereo (2, samples), its parts spread over the stage."""
    total = np.zeros((2, samples))
    seats = rng.permutation(np.linspace(-0.6, 0.6, len(line_up)))
    for order, (part, seat) in enumerate(zip(line_up, seats, strict=True)):
        track = PLAYERS[part](score, samples, rng)
        if order:
            track = track * presence(score, samples, rng)
        total += pan(track / (rms(track) + 1e-9) * 10 ** (rng.uniform(-3.0, 3.0) / 20), float(seat))
    return total
