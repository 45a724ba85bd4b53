// The words of the settings that a config file and the command line take, and what they stand for.
#pragma once

#include <optional>
#include <string_view>

#include "partition/partition_config.h"

namespace layerpipe::runtime {

// auto: NCCL between GPUs, MPI otherwise.
enum class ChannelChoice { kAuto, kNccl, kMpi };

template <typename T>
struct Word {
  std::string_view word;
  T value;
};

inline constexpr Word<partition::Strategy> kStrategyWords[] = {{"balanced", partition::Strategy::kBalanced},
                                                               {"fastest", partition::Strategy::kFastest},
                                                               {"explicit", partition::Strategy::kExplicit}};

// None: the fastest that fits.
inline constexpr Word<std::optional<partition::Residency>> kResidencyWords[] = {
    {"auto", std::nullopt},
    {"resident", partition::Residency::kResident},
    {"phased", partition::Residency::kPhased},
    {"streamed", partition::Residency::kStreamed}};

inline constexpr Word<ChannelChoice> kChannelWords[] = {
    {"auto", ChannelChoice::kAuto}, {"nccl", ChannelChoice::kNccl}, {"mpi", ChannelChoice::kMpi}};

inline constexpr Word<const char*> kDtypeWords[] = {{"bf16", "bf16"}, {"fp32", "fp32"}, {"fp8", "fp8"}};

}  // namespace layerpipe::runtime
