"""Doors that run by themselves: the inline executor and, in production, Celery and the scheduler."""
