"""Neural couplings: what singing-voice separation networks learn, after Mimilakis et al. (2019)."""
