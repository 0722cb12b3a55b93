"""The command `python -m tests.golden`: writes docs/golden.md anew."""

from tests.golden.page import PAGE, page

PAGE.write_text(page(), "utf-8")
print(f"{PAGE.name}: written")
