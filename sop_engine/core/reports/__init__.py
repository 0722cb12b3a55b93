"""Decides what alerts and reports say: periods, bounds, tables, and how a report is written."""
