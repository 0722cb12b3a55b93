"""Speak: one file per channel, one Protocol: send(message) -> receipt."""
