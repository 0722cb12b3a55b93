"""sop_engine: playbooks that treat each tier of users differently, and send on time or say why not."""

__version__ = "0.2.0"
