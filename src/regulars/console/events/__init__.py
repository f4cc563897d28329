"""What arrives: live events, those that couldn't be taken, the catalogue, and who follows the log."""
