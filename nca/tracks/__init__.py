"""A data set as a sequence of tracks (Sec. 4.1), and the 30 s in which every source is active (Sec. 4.2)."""

from nca.tracks.activity import activation_confidence, active_window, is_silent
from nca.tracks.digests import digest
from nca.tracks.musdb18 import real_song
from nca.tracks.reading import open_tracks
from nca.tracks.track import Track, Tracks

__all__ = [
    "Track",
    "Tracks",
    "activation_confidence",
    "active_window",
    "digest",
    "is_silent",
    "open_tracks",
    "real_song",
]
