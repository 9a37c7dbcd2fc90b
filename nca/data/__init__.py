"""A data set as a sequence of tracks (Sec. 4.1), and the 30 s in which every source is active (Sec. 4.2)."""

from nca.data.activity import activation_confidence, active_window, is_silent
from nca.data.musdb18 import real_song
from nca.data.reading import SUBSETS, count_songs, list_tracks, open_tracks
from nca.data.recording import Recording, open_recording
from nca.data.track import Track, Tracks, digest

__all__ = [
    "SUBSETS",
    "Recording",
    "Track",
    "Tracks",
    "activation_confidence",
    "active_window",
    "count_songs",
    "digest",
    "is_silent",
    "list_tracks",
    "open_recording",
    "open_tracks",
    "real_song",
]
