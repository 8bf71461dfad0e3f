"""The root helper: does what the daemon asks by the fixed list of verbs, as root, and nothing else."""
