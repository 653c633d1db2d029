"""Write each notebook's .ipynb from its .py (py:percent): the same cells, executed.

    python notebooks/pair.py            # all notebooks
    python notebooks/pair.py 05         # those whose name begins with 05

Edit the .py file, run this, commit both. Needs pip install "funcgrad[notebooks]".
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent
METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
QUIET = ["--IPKernelApp.log_level=40"]  # errors only


def sources() -> list[Path]:
    """The notebooks as .py files, in reading order."""
    return sorted(FOLDER.glob("[0-9]*.py"))


def read_source(path: Path) -> Any:
    """The notebook of a .py file, without outputs, and with nothing in it that varies."""
    notebook = jupytext.read(path)
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"
        cell["metadata"] = {}
    notebook["metadata"] = nbformat.from_dict(METADATA)
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    return notebook


def execute(path: Path) -> Any:
    """The notebook of a .py file with the outputs of a fresh run, in the Python that runs this.

    JAX runs on the CPU in 32 bit, whatever the surroundings say: the outputs are those of that.
    """
    notebook = read_source(path)
    # With no folder of kernels to look in, python3 is the Python that runs this, and no other.
    specs = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    resources = {"metadata": {"path": str(FOLDER)}}
    options = {"timeout": 120, "record_timing": False, "extra_arguments": QUIET}
    client = NotebookClient(notebook, km=manager, resources=resources, **options)
    client.execute(env=_environment(), cleanup_kc=True)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell["outputs"] = _joined(cell["outputs"])
    notebook["metadata"] = nbformat.from_dict(METADATA)
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """The outputs with texts that arrived in pieces as one: where they break is chance."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and output["name"] == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _environment() -> dict[str, str]:
    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    fixed = {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return {**os.environ, **fixed}


def main(prefixes: list[str]) -> None:
    for path in sources():
        if not prefixes or path.name.startswith(tuple(prefixes)):
            nbformat.write(execute(path), path.with_suffix(".ipynb"))
            print(path.with_suffix(".ipynb").name)


if __name__ == "__main__":
    main(sys.argv[1:])
