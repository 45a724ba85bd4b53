#include "launch/machinery.h"

#include "comm/together.h"
#include "common/errors.h"
#include "launch/dtype.h"
#include "launch/ranks.h"
#include "model/fingerprint.h"

namespace layerpipe::launch {
namespace {

runtime::DeviceChoice device_choice(const std::string& option) {
  if (option == "cuda") return runtime::DeviceChoice::kCuda;
  return option == "cpu" ? runtime::DeviceChoice::kCpu : runtime::DeviceChoice::kAuto;
}

// Between stages.
comm::ChannelKind choose_channel(runtime::ChannelChoice choice, const at::Device& device) {
  if (choice == runtime::ChannelChoice::kNccl && device.is_cpu()) {
    throw common::InputError("comm.channel is nccl, which works between GPUs; these ranks compute on the CPU",
                             "Take mpi, or auto.");
  }
  // docs/decisions.md: which channel `auto` takes.
  return choice == runtime::ChannelChoice::kNccl ? comm::ChannelKind::kNccl : comm::ChannelKind::kHost;
}

runtime::EngineConfig engine_config(const DecomposeOptions& options, const at::Device& device,
                                    at::ScalarType dtype) {
  return {.model_folder = options.model,
          .device = device,
          .dtype = dtype,
          .weights = options.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles,
          .channel = choose_channel(options.run_config.comm.channel, device)};
}

}  // namespace

Machinery set_up(const DecomposeOptions& options, comm::Communicator& communicator) {
  Machinery machinery;
  comm::together(communicator, "opening the model", [&] {
    const runtime::HostPlace place = host_place(communicator);
    share_cores(place);
    machinery.device = runtime::choose_device(device_choice(options.device), place);
    if (options.seed_device == "cuda" && machinery.device.device.is_cpu())
      throw common::InputError("--seed-device cuda needs a GPU", "Take --seed-device cpu.");
    const at::Device device = machinery.device.device;
    machinery.dtype = dtype_of(options.run_config.dtype, device);
    machinery.engine =
        std::make_unique<runtime::Engine>(engine_config(options, device, machinery.dtype), communicator);
    machinery.fingerprint = model::fingerprint(options.model);
  });
  return machinery;
}

std::vector<runtime::Fact> facts_of(const std::vector<runtime::OptionRecord>& records,
                                    const Machinery& machinery) {
  std::string command_line;
  std::string config;
  for (const runtime::OptionRecord& record : records) {
    std::string& text = record.source == "config file" ? config : command_line;
    text += record.name;
    for (const std::string& value : record.values) text += ' ' + value;
    text += '\n';
  }
  return {{"program version", LAYERPIPE_VERSION},
          {"kind of device", machinery.device.device.is_cpu() ? "CPU" : "GPU"},
          {"dtype", word_of(machinery.dtype)},
          {"command line", command_line},
          {"config file", config},
          {"model", machinery.fingerprint}};
}

}  // namespace layerpipe::launch
