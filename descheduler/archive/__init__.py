"""What the controller planned and did, kept in one SQLite file beyond a restart."""
