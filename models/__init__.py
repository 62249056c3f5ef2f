"""The demo model: its grammar, its training, its file and its evaluation."""
