"""One file for each command, named like it; what it needs is imported when it runs, so that help comes at once."""
