"""Checks of arguments, files, and streams of random numbers, for all packages."""
