"""The console: health, readiness and metrics today; pages rendered on the server come later."""
