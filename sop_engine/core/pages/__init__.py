"""Pages about a project: one per playbook and tier, with a timeline, made from what was understood and not from its text."""
