"""The outside world's plumbing: database, jobs, blobs, mail, logs."""
