"""SQLite as Django's database, with writers in turn. Nothing here knows what is stored."""
