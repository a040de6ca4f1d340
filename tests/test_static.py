"""Where there is no kernel: a closed notebook, and one converted to a page, show a picture of the playground."""

import base64
import io
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def notebook():
    """Executed and kept as JupyterLab and Notebook 7 keep it by default: without the state of widgets."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code = "from spectral_lab.live import Playground\np = Playground(alpha=1.0, hidden=(8,))\np.run(100)\np"
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=[nbformat.v4.new_code_cell(code)])
    return NotebookClient(notebook, timeout=120, store_widget_state=False).execute()


def check_picture(png):
    """A PNG with light and dark parts, of a size to look at."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    assert picture.format == "PNG"
    assert picture.width >= 600
    assert picture.height >= 250
    counts = picture.convert("L").histogram()
    assert sum(counts[:100]) > 1000
    assert sum(counts[230:]) > 1000
    assert len(picture.convert("RGB").resize((64, 64)).getcolors(64 * 64)) > 50


def test_a_closed_notebook_holds_the_picture_and_no_widget_state(notebook, tmp_path):
    nbformat.write(notebook, tmp_path / "closed.ipynb")
    closed = nbformat.read(tmp_path / "closed.ipynb", as_version=4)
    nbformat.validate(closed)
    assert "widgets" not in closed.metadata
    (output,) = closed.cells[0].outputs
    check_picture(output.data["image/png"])
    assert output.data["text/plain"].startswith("Playground(alpha=1, ")
    assert (tmp_path / "closed.ipynb").stat().st_size < 400_000


def test_a_converted_notebook_shows_the_picture_and_asks_for_no_widget(notebook):
    page, _ = HTMLExporter().from_notebook_node(notebook)
    (png,) = re.findall(r'<img[^>]*src="data:image/png;base64,([^"]+)"', page)
    check_picture(png)
    assert png.split() == notebook.cells[0].outputs[0].data["image/png"].split()
    assert "jupyter.widget" not in page
    assert "html-manager" not in page
