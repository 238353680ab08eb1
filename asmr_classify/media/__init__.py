"""Files to sound: what to label, what a file claims to be, and its samples."""
