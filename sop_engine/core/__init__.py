"""Decides: frozen values in, decisions out. No clock, chance, file, network or log."""
