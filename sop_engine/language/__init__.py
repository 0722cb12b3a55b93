"""Reads: files into core values; every problem with its place, a code and a suggestion."""
