"""Take the README's picture of the playground in a real browser, in the middle of its story.

make figures
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import lab_server

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Open the notebook, let the network grow at α = 1, and write figures/playground.png."""
    notebook = ROOT / "notebooks" / "00_playground.ipynb"
    folder = Path(tempfile.mkdtemp(prefix="screenshot-"))
    shutil.copy(notebook, folder)
    with lab_server.running(folder, notebook.name) as server, lab_server.browser_page() as page:
        lab_server.open_notebook(page, server)
        lab_server.run_cell(page, 2)
        page.wait_for_selector(".sl-root[data-frames]", timeout=90_000)
        for alpha, step in [(0.0, 300), (0.3, 500), (0.5, 800), (0.7, 1100), (0.85, 1500), (1.0, 3000)]:
            lab_server.kernel_says(page, f"playground.alpha = {alpha}; playground.run({step} - playground.step)")
        page.click("[data-action=train]")
        page.wait_for_timeout(1500)
        page.locator(".sl-root").screenshot(path=ROOT / "figures" / "playground.png")
        print(page.locator(".sl-words").inner_text())


if __name__ == "__main__":
    main()
