"""Comparing the arms of an experiment: who counts, what is judged, and the report with its views in text, CSV, HTML and JSON."""
