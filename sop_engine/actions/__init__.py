"""Do: one file per verb; open a transaction, load, let core decide, store."""
