// The run.json that cases about finished runs spoil.
#pragma once

#include <string>

namespace layerpipe::testing {

// What is said of one that is not as it should be.
inline const std::string kGiveARun = "Give a run.json as layerpipe decompose wrote it.";

// A run of two layers as large as the picture. The picture and the model are named without a folder.
inline constexpr const char* kFinishedRun = R"({
  "versions": {"layerpipe": ")" LAYERPIPE_VERSION R"("}, "command": "decompose",
  "options": {"prompt": {"value": "a fox", "source": "command line"},
              "layers": {"value": "2", "source": "command line"},
              "resolution": {"value": "64", "source": "command line"},
              "any-resolution": {"value": "true", "source": "command line"},
              "steps": {"value": "2", "source": "command line"}},
  "model": {"folder": "model", "pipeline": "QwenImageLayeredPipeline", "fingerprint": "00"},
  "device": {"id": "cpu", "name": "CPU"}, "dtype": "fp32", "picture": "picture.png",
  "picture_size": {"width": 64, "height": 64}, "working_size": {"width": 64, "height": 64},
  "layer_size": {"width": 64, "height": 64}, "seed": 7,
  "seconds": {"encode": 1, "denoise": 1, "decode": 1,
              "load": {"encode": 0, "denoise": 0, "decode": 0}, "steps": [0.5, 0.5]},
  "plan": {"strategy": "balanced", "stages": [{"stage": 0, "rank": 0, "host": "a", "blocks": [0, 2],
           "text_layers": [0, 2], "vae_percent": 100, "residency": "resident"}]},
  "ranks": [{"rank": 0, "host": "a", "device": "CPU",
             "predicted_peak_bytes": {"encode": 1, "denoise": 1, "decode": 1},
             "peak_bytes": {"encode": 1, "denoise": 1, "decode": 1},
             "denoise": {"seconds": 1, "busy": 1, "wait": 0, "idle": 0}}],
  "layer_hashes": ["00", "11"], "files": ["layer_0.png", "layer_1.png", "composite.png"]})";

}  // namespace layerpipe::testing
