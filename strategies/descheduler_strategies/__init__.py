"""The built-in strategies, one file each, found by entry point like anyone's."""
