"""A data set as a sequence of tracks (Sec. 4.1), and the 30 s in which every source is active (Sec. 4.2)."""

from nca.tracks.activity import activation_confidence, active_window
from nca.tracks.digests import digest
from nca.tracks.reading import Track, Tracks, open_tracks, real_song

__all__ = ["Track", "Tracks", "activation_confidence", "active_window", "digest", "open_tracks", "real_song"]
