"""What a script needs beside Python's standard library. What is not there is told in a sentence, with exit code 2.

    import needs
    needs.packages("numpy", "PIL")  # before they are imported

Standard library only, so that it can be imported first.
"""

import argparse
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

EXIT_CODE = 2  # as the program's own for what is missing
REQUIREMENTS = Path(__file__).resolve().parent / "requirements-reference.txt"
# Packages that are installed under another name than they are imported by.
INSTALLED_AS = {"PIL": "pillow", "psd_tools": "psd-tools", "pptx": "python-pptx"}


def stop(sentence: str, cure: str) -> NoReturn:
    """Ends the script: what is missing, and what to do about it."""
    print(f"{Path(sys.argv[0]).name}: {sentence}\n  {cure}", file=sys.stderr)
    sys.exit(EXIT_CODE)


def packages(*names: str) -> None:
    """Packages by the names that they are imported by. One that is there but cannot be imported counts as missing."""
    missing, reason = [], ""
    for name in names:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            missing.append(INSTALLED_AS.get(name, name))
            reason = reason or str(error)
    if not missing:
        return
    what = f"the Python package{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    stop(f"{what} cannot be imported by {sys.executable}: {reason}",
         f"Install what the scripts need: launch/setup.sh --reference, or {sys.executable} -m pip install torch -r {REQUIREMENTS}")


def torch_gpu() -> None:
    """A GPU that torch can use. The package has to be there."""
    import torch
    if torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        stop("this needs a GPU, and this torch is for CPUs only", "Install the torch package for CUDA.")
    stop("this needs a GPU, and torch finds none", "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES.")


def gpu_count() -> int:
    """GPUs of this machine that the driver knows and CUDA_VISIBLE_DEVICES leaves."""
    try:
        done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=True)
        found = sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    except (OSError, subprocess.CalledProcessError):
        found = 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        found = min(found, len([device for device in visible.split(",") if device.strip()]))
    return found


def gpus(count: int) -> None:
    """So many of them."""
    found = gpu_count()
    if found < count:
        stop(f"this needs {count} GPU{'s' if count > 1 else ''}, and this machine has {found or 'none'}",
             "Check with nvidia-smi, and the environment variable CUDA_VISIBLE_DEVICES.")


def command(name: str, package: str) -> str:
    """The path of a program; `package` is what Debian calls the package that it comes with."""
    found = shutil.which(name)
    if found is None:
        stop(f"{name} is not on the PATH", f"Install it: apt-get install {package}")
    return found


def program(path: str) -> str:
    """The path of a program of the build, as a type of argparse."""
    found = Path(path)
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise argparse.ArgumentTypeError(f"there is no program {path}; launch/build.sh builds those of layerpipe")
    return path


def one_program(description: str) -> str:
    """The only argument of a script: a program of the build."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=program)
    return parser.parse_args().program
