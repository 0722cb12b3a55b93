"""The `sop` command, one file per group of commands."""
