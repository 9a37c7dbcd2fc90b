"""The vocal track: a lead, in some songs doubled or joined by a second voice in the choruses."""

from dataclasses import dataclass, replace

import numpy as np

from nca.data.demo.articulation import articulate
from nca.data.demo.phonemes import Syllable, lyric
from nca.data.demo.room import level_ride, pan
from nca.data.demo.score import Note, Score
from nca.data.demo.signals import decibels
from nca.data.demo.voice import Singer, sing


@dataclass(frozen=True)
class Take:
    """One recording of the singer: what is sung, its level in dB beside the lead, its place from left to right."""

    melody: list[Note]
    words: list[Syllable]
    level: float
    seat: float


def third_above(score: Score, pitch: float) -> float:
    """The pitch two steps up the song's scale."""
    ladder = [step for step in range(int(pitch) + 1, int(pitch) + 9) if (step - score.tonic) % 12 in score.scale]
    return float(ladder[1])


def draw_takes(score: Score, rng: np.random.Generator) -> list[Take]:
    """The lead, and at times a double or a harmony of what falls into a chorus."""
    words = lyric(rng, len(score.melody))
    takes = [Take(score.melody, words, 0.0, float(rng.uniform(-0.08, 0.08)))]
    bar = score.chords[0].length
    chorus = [i for i, note in enumerate(score.melody) if score.chords[int(note.start / bar + 1e-6)].energy > 0.8]
    manner = rng.choice(["alone", "double", "harmony"], p=[0.5, 0.3, 0.2])
    if chorus and manner != "alone":
        notes = [score.melody[i] for i in chorus]
        if manner == "harmony":
            notes = [replace(note, pitch=third_above(score, note.pitch)) for note in notes]
        side = float(rng.choice([-0.5, 0.5]))
        takes.append(Take(notes, [words[i] for i in chorus], float(rng.uniform(-11.0, -5.0)), side))
    return takes


def make_vocals(singer: Singer, score: Score, samples: int, rng: np.random.Generator) -> np.ndarray:
    """The voice, stereo (2, samples), compressed as in a mix, before its room."""
    stereo = np.zeros((2, samples))
    for take in draw_takes(score, rng):
        controls = articulate(singer, take.melody, take.words, samples, rng)
        stereo += pan(decibels(take.level) * sing(singer, controls, samples, rng), take.seat)
    return stereo * level_ride(stereo, 0.45)
