"""Names for singers and songs: pleasant, and unique within a corpus."""

import numpy as np

FIRST = (
    "Ada", "Bruno", "Clara", "Dario", "Elin", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kaia", "Leo", "Mira",
    "Nils", "Olga", "Paolo", "Rosa", "Samir", "Tilda", "Yann",
)  # fmt: skip
LAST = (
    "Abel", "Berg", "Corso", "Dunne", "Ek", "Fontaine", "Grove", "Holm", "Ivers", "Juno", "Kestrel", "Lark", "Moro",
    "North", "Oakes", "Perrin", "Quill", "Reed", "Sand", "Vale",
)  # fmt: skip
ADJECTIVES = (
    "Amber", "Borrowed", "Crooked", "Distant", "Early", "Faded", "Golden", "Hollow", "Idle", "Late", "Little",
    "Lonely", "Northern", "Open", "Paper", "Quiet", "Restless", "Silver", "Slow", "Sudden", "Tender", "Unsent",
    "Velvet", "Winter",
)  # fmt: skip
NOUNS = (
    "Avenue", "Bridges", "Candles", "Daylight", "Engines", "Ferry", "Gardens", "Harbour", "Islands", "Journey",
    "Kites", "Lanterns", "Letters", "Meadow", "Mornings", "Orchard", "Postcards", "Rain", "River", "Season",
    "Stations", "Summer", "Tide", "Voices", "Weather", "Windows",
)  # fmt: skip
NAMING_STREAM = 3


def shuffled(seed: int, which: int, count: int) -> np.ndarray:
    """A permutation of `count` that depends on the seed."""
    return np.random.default_rng([seed, NAMING_STREAM, which]).permutation(count)


def singer_name(seed: int, number: int) -> str:
    """First and last name of singer `number`; no first name comes twice among twenty."""
    first, last = shuffled(seed, 0, len(FIRST)), shuffled(seed, 1, len(LAST))
    return f"{FIRST[first[number % len(FIRST)]]} {LAST[last[number % len(LAST)]]}"


def song_title(seed: int, index: int) -> str:
    """The title of song `index`; past 624 songs titles come again with a number."""
    total = len(ADJECTIVES) * len(NOUNS)
    place = int(shuffled(seed, 2, total)[index % total])
    title = f"{ADJECTIVES[place // len(NOUNS)]} {NOUNS[place % len(NOUNS)]}"
    return title if index < total else f"{title} {index // total + 1}"
