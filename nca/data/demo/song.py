"""One song from its seed: singer, score, stems, mixture."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nca.data.demo.band import play_band, play_bass
from nca.data.demo.drums import play_drums
from nca.data.demo.names import singer_name, song_title
from nca.data.demo.room import draw_room, finish, pan, peak_gain, reverberate
from nca.data.demo.score import Score, compose
from nca.data.demo.signals import RATE, rms, to_decibels, to_level
from nca.data.demo.styles import STYLES
from nca.data.demo.vocals import make_vocals
from nca.data.demo.voice import Singer, draw_singer

STEMS = ("vocals", "bass", "drums", "other")
TEST_EVERY = 4  # one song in four is for testing
TRAIN_SINGERS, TEST_SINGERS = 12, 4
# gain of each stem's high shelf beyond 1, from and to
PRESENCE = {"vocals": (0.3, 2.0), "bass": (0.0, 5.0), "drums": (-0.3, 0.3), "other": (0.0, 1.6)}
CEILING = 0.93  # of full scale
SINGER_STREAM, SONG_STREAM = 1, 2  # names of the seed's branches


@dataclass(frozen=True)
class Plan:
    """What is known of a song before a sample is made: a function of (index, seconds, seed) alone."""

    index: int
    split: str
    name: str
    singer: Singer
    score: Score
    line_up: tuple[str, ...]
    seed: int


def split_of(index: int) -> str:
    """`test` for every fourth song from the second on, else `train`."""
    return "test" if index % TEST_EVERY == 1 else "train"


def ordinal_of(index: int) -> int:
    """How many songs of the same split come before this one."""
    return index // TEST_EVERY if split_of(index) == "test" else index - (index + TEST_EVERY - 2) // TEST_EVERY


def singer_of(seed: int, index: int) -> Singer:
    """The singer of a song: training and test songs choose from rosters that share nobody."""
    ordinal = ordinal_of(index)
    number = TRAIN_SINGERS + ordinal % TEST_SINGERS if split_of(index) == "test" else ordinal % TRAIN_SINGERS
    return draw_singer(np.random.default_rng([seed, SINGER_STREAM, number]), number, singer_name(seed, number))


def plan_song(index: int, seconds: float, seed: int) -> Plan:
    """Singer, score and line-up of song number `index`."""
    rng = np.random.default_rng([seed, SONG_STREAM, index])
    singer = singer_of(seed, index)
    styles = list(STYLES)
    ordinal = ordinal_of(index)
    style = styles[(ordinal + ordinal // len(styles)) % len(styles)]
    score = compose(rng, style, seconds, singer.low, singer.high)
    line_up = STYLES[style].band[int(rng.integers(len(STYLES[style].band)))]
    name = f"{singer.name} - {song_title(seed, index)}"
    return Plan(index, split_of(index), name, singer, score, line_up, seed)


def make_stems(plan: Plan) -> dict[str, np.ndarray]:
    """The four stems, float (2, samples) each, balanced; their sum stays under `CEILING`."""
    samples = round(plan.score.seconds * RATE)
    rng = np.random.default_rng([plan.seed, SONG_STREAM, plan.index, 1])
    hall = draw_room(rng, rng.uniform(0.8, 2.4))
    booth = draw_room(rng, rng.uniform(0.35, 1.1))
    stems = {
        "vocals": reverberate(make_vocals(plan.singer, plan.score, samples, rng), hall, rng.uniform(0.12, 0.45)),
        "bass": pan(play_bass(plan.score, samples, rng), 0.0),
        "drums": reverberate(play_drums(plan.score, samples, rng), booth, rng.uniform(0.12, 0.45)),
        "other": reverberate(play_band(plan.score, plan.line_up, samples, rng), hall, rng.uniform(0.05, 0.3)),
    }
    stems = {name: finish(stem, rng.uniform(*PRESENCE[name])) for name, stem in stems.items()}
    return master(balance(stems, rng))


def balance(stems: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Stems at drawn levels: accompaniment within itself, then the voice from -10 to +1 dB against it."""
    gains = {"bass": rng.uniform(-4.0, 1.0), "drums": rng.uniform(-2.0, 3.0), "other": rng.uniform(-2.0, 4.0)}
    mixed = {name: to_level(stems[name], gain) for name, gain in gains.items()}
    backing = rms(mixed["bass"] + mixed["drums"] + mixed["other"])
    ratio = float(np.clip(rng.normal(-4.5, 2.8), -10.0, 1.0))
    return {"vocals": to_level(stems["vocals"], ratio) * backing, **mixed}


def master(stems: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One limiter's gain on every stem alike, so that their sum is the limited mixture."""
    total = np.sum([stems[name] for name in STEMS], axis=0)
    gain = CEILING / np.max(np.abs(total)) * 1.6
    gain = gain * peak_gain(total * gain, CEILING)
    return {name: stem * gain for name, stem in stems.items()}


def to_integers(stems: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """16-bit stems, int16 (samples, 2) each, and `mixture`, their exact integer sum."""
    whole = {name: np.rint(stems[name].T * 32767.0).astype(np.int32) for name in STEMS}
    whole["mixture"] = sum(whole.values(), np.zeros_like(whole["vocals"]))
    return {name: signal.astype(np.int16) for name, signal in whole.items()}


def make_song(plan: Plan) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The song of a plan, the same integers in any process.

    Returns:
        The mixture and each stem, int16 (samples, 2), by name; and the facts for the record.
    """
    signals = to_integers(make_stems(plan))
    score, scaled = plan.score, {name: signal / 32768.0 for name, signal in signals.items()}
    backing = rms(scaled["mixture"] - scaled["vocals"])
    facts = {
        "name": plan.name,
        "split": plan.split,
        "voice": plan.singer.name,
        "style": score.style,
        "tempo": score.tempo,
        "beats": score.beats,
        "key": score.key,
        "parts": list(plan.line_up),
        "levels_dbfs": {name: round(to_decibels(rms(signal)), 2) for name, signal in scaled.items()},
        "voice_to_accompaniment_db": round(to_decibels(rms(scaled["vocals"])) - to_decibels(backing), 2),
    }
    return signals, facts
