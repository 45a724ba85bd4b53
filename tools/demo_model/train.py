"""Trains the demo model, from a fixed seed; stops at any minute and goes on from the files in --state.

    PYTHONPATH=tools python3 -m demo_model.train --phase vae --minutes 6 --state DIR
    PYTHONPATH=tools python3 -m demo_model.train --phase transformer --minutes 9 --state DIR --preview DIR

Each phase ends by itself when its planned time is over; the learning rate follows the share of that time. Ctrl-C and SIGTERM
save first.
"""

from __future__ import annotations

import time

BEGAN = time.monotonic()  # what is imported below takes its time too

import argparse  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import needs  # noqa: E402

if __name__ == "__main__":
    needs.packages("numpy", "torch", "PIL", "safetensors", "diffusers", "transformers")

import torch  # noqa: E402
import torch._dynamo  # noqa: E402
import torch.fx.experimental._config  # noqa: E402

from . import transformer_training, vae_training  # noqa: E402
from .session import Session, say  # noqa: E402
from .settings import PLANS  # noqa: E402

RESERVE_SECONDS = {"vae": 12, "transformer": 20}  # for saving, measuring and the last preview


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", choices=["vae", "transformer"], required=True)
    parser.add_argument("--minutes", type=float, default=9.0, help="of this run in all, from its start (default 9)")
    parser.add_argument("--planned-minutes", type=float, help="of training in this phase over all runs (default: the plan's)")
    parser.add_argument("--finish", action="store_true", help="plan for what is left of this run, however long it took to start: "
                        "the learning rate comes to its end with it")
    parser.add_argument("--state", type=Path, required=True, help="folder to go on from, and to stop in")
    parser.add_argument("--preview", type=Path, help="folder for contact sheets")
    parser.add_argument("--plan", choices=PLANS, default="full", help="toy: a check that everything runs")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()

    device = torch.device(args.device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = args.phase == "vae"  # the other phase encodes in many shapes, each of which would be tried out
    # One graph for all numbers of layers, sizes and prompts, also when two of these numbers happen to be equal.
    torch._dynamo.config.recompile_limit = 32
    torch._dynamo.config.suppress_errors = True  # what does not compile runs as it is
    torch.fx.experimental._config.use_duck_shape = False
    session = Session(
        state=args.state, plan=PLANS[args.plan](), plan_name=args.plan, device=device,
        began=BEGAN, deadline=BEGAN + 60 * args.minutes - (RESERVE_SECONDS[args.phase] if args.plan == "full" else 0),
        compile=device.type == "cuda" and not args.no_compile, preview=args.preview, planned_minutes=args.planned_minutes,
        finish=args.finish,
    )
    say(f"{args.phase} on {device}, torch {torch.__version__}, ready after {time.monotonic() - BEGAN:.0f} s")
    {"vae": vae_training, "transformer": transformer_training}[args.phase].train(session)


if __name__ == "__main__":
    main()
