#include "session/rank_setup.h"

#include "comm/nccl/nccl_channel.h"
#include "comm/run_collectively.h"
#include "common/errors.h"
#include "model/fingerprint.h"
#include "runtime/device/host_share.h"
#include "session/dtype.h"
#include "session/ranks.h"

namespace layerpipe::session {
namespace {

runtime::DeviceChoice device_choice(const std::string& option) {
  if (option == "cuda") return runtime::DeviceChoice::kCuda;
  return option == "cpu" ? runtime::DeviceChoice::kCpu : runtime::DeviceChoice::kAuto;
}

}  // namespace

comm::ChannelKind choose_channel(runtime::ChannelChoice choice, RanksOn ranks) {
  if (choice == runtime::ChannelChoice::kNccl && ranks == RanksOn::kCpus) {
    throw common::InputError("comm.channel is nccl, which works between GPUs; these ranks compute on the CPU",
                             "Take mpi, or auto.");
  }
  const bool takes_nccl =
      choice == runtime::ChannelChoice::kNccl ||
      (choice == runtime::ChannelChoice::kAuto && ranks == RanksOn::kGpus && comm::nccl_is_built());
  return takes_nccl ? comm::ChannelKind::kNccl : comm::ChannelKind::kHost;
}

Machinery set_up(const Settings& settings, comm::Communicator& communicator) {
  Machinery machinery;
  share_cores(communicator);
  comm::run_collectively(communicator, "choosing devices", [&] {
    const runtime::HostPlace place = host_place(communicator);
    machinery.device = runtime::choose_device(device_choice(settings.device), place);
    runtime::use_device(machinery.device.device);
    stay_near(machinery.device);
  });
  comm::check_own_gpus(communicator, machinery.device.uuid);
  RanksOn ranks = machinery.device.device.is_cpu() ? RanksOn::kCpus : RanksOn::kGpus;
  if (comm::on_any_rank(communicator, machinery.device.is_mig_instance, "comparing GPUs"))
    ranks = RanksOn::kPartsOfGpus;
  // Half of what is free, so that files, pictures and other programs have the rest.
  const std::uint64_t most_pinned_bytes = runtime::memory_share(communicator).free / 2;
  comm::run_collectively(communicator, "opening the model", [&] {
    const at::Device device = machinery.device.device;
    machinery.dtype = dtype_of(settings.run_config.dtype, device);
    machinery.linears = linears_of(settings.run_config.dtype);
    machinery.channel = choose_channel(settings.run_config.comm.channel, ranks);
    const runtime::EngineConfig config{
        .model_folder = settings.model,
        .device = device,
        .dtype = machinery.dtype,
        .linears = machinery.linears,
        .weights = settings.random_weights ? runtime::WeightOrigin::kRandom : runtime::WeightOrigin::kFiles,
        .variant = settings.variant,
        .files = settings.files,
        .channel = machinery.channel,
        .most_pinned_bytes = most_pinned_bytes};
    machinery.engine = std::make_unique<runtime::Engine>(config, communicator);
    machinery.fingerprint = model::fingerprint(settings.model, settings.files);
  });
  return machinery;
}

std::vector<comm::Fact> facts_of(const Settings& settings, const Machinery& machinery) {
  std::string command_line;
  std::string config;
  for (const results::RecordedOption& record : settings.options) {
    std::string& text = record.source == "config file" ? config : command_line;
    text += record.name;
    for (const std::string& value : record.values) text += ' ' + value;
    text += '\n';
  }
  return {{"program version", LAYERPIPE_VERSION},
          {"kind of device", machinery.device.device.is_cpu() ? "CPU" : "GPU"},
          {"dtype", word_of(machinery.dtype, machinery.linears)},
          {"command line", command_line},
          {"config file", config},
          {"model", machinery.fingerprint}};
}

}  // namespace layerpipe::session
