#!/usr/bin/env python3
"""Every config that diffusers and transformers write by default is accepted.

config_defaults_test.py LOAD_CONFIG
    LOAD_CONFIG  the program built from load_config.cpp
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import needs  # noqa: E402

needs.packages("accelerate", "diffusers", "transformers")

from accelerate import init_empty_weights  # noqa: E402
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel  # noqa: E402
from transformers import Qwen2_5_VLConfig  # noqa: E402


def write_defaults(folder: Path) -> list[tuple[str, Path]]:
    files = []

    def saved(kind: str, name: str, save) -> None:
        target = folder / f"{kind}.{name}"
        save(target)
        found = [target] if target.is_file() else sorted(target.glob("*config.json"))
        files.extend((kind, file) for file in found)

    with init_empty_weights():
        saved("transformer", "saved", QwenImageTransformer2DModel(num_layers=1).save_config)
        saved("vae", "saved", AutoencoderKLQwenImage().save_config)
    saved("scheduler", "saved", FlowMatchEulerDiscreteScheduler().save_config)
    saved("text_encoder", "saved", Qwen2_5_VLConfig().save_pretrained)
    saved("text_encoder", "whole.json", lambda file: file.write_text(json.dumps(Qwen2_5_VLConfig().to_dict())))
    return files


def main() -> int:
    program, failures = needs.one_program(__doc__), 0
    with tempfile.TemporaryDirectory() as folder:
        files = write_defaults(Path(folder))
        assert len(files) == 5, files
        for kind, file in files:
            done = subprocess.run([program, kind, str(file)], capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                print(f"{kind}: {done.stderr.strip()}")
                failures += 1
    print(f"{len(files)} configs, {failures} refused")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
