// Splits a model over devices. A pure function: the same costs, devices and settings give the same plan.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "partition/cost.h"
#include "partition/device_info.h"
#include "partition/partition_config.h"
#include "partition/plan.h"

namespace layerpipe::partition {

// One stage for each device, in the order of the devices; devices of one host are moved together, hosts in
// the order in which they first appear, so that few edges cross hosts. `explicit` keeps the order of the
// file.
//
//   balanced: blocks, text layers and VAE strips in proportion to free memory, largest remainder, ties to the
//     lower rank, at least one block a stage. When a peak passes a budget, text layers and then blocks move
//     from that device to the roomiest one until all fit; `remarks` says so.
//   fastest: the contiguous split with the shortest slowest stage that fits, by dynamic programming over the
//     devices' speeds (equal ones where none is known); among equals the one with the shortest sum, then the
//     one with more blocks in earlier stages. Text layers and strips as in balanced.
//   explicit: as written; only residency is chosen.
//
// With several groups the devices, in that order, are dealt to the groups, as many to each, side by side.
// Each group holds the whole transformer, split over its stages as above; text layers and VAE strips are
// dealt over the devices of all groups.
//
// Every stage keeps a modulation table with a row for each timestep of the largest window. Once the rest is
// settled, it grows by further timesteps of the work as far as they fit on every stage, unless blocks stream.
//
// Residency `none` tries, in this order: all resident; text encoder phased; text encoder and VAE phased; all
// phased; the transformer streamed; the text encoder too. Where a network streams, a split fits when two
// units of each stage do, and then as many stay as fit. When nothing fits the plan of the last try is given
// with fits == false, the bytes that are missing where, and words.
//
// Throws InputError for what no memory would mend: no device, two entries of one rank, devices that do not
// fall into groups of one size, more groups than branches, fewer blocks than a group has devices (naming the
// first rank that would be empty), explicit stages that do not cover every unit exactly once and in order,
// name ranks that there are not, or whose VAE shares do not add up to 100.
Plan make_plan(const ModelCost& cost, std::span<const DeviceInfo> devices, const Workload& workload,
               const PartitionConfig& config);

// Of other work for devices that hold what `present` gave them: make_plan(), but with the stages of `present`
// where these fit too and cost neither residency nor requests in flight, so that what is loaded stays.
// `devices` are what they were before anything was loaded. Throws like make_plan.
Plan make_next_plan(const Plan& present, const ModelCost& cost, std::span<const DeviceInfo> devices,
                    const Workload& workload, const PartitionConfig& config);

// Requests that keep `stages` stages busy: the smallest R with branches · R ≥ stages + branches − 1, at most
// `requests`.
std::int64_t saturating_requests(std::int64_t stages, std::int64_t branches, std::int64_t requests);

// The smallest number of places, from `least` to twice that, for which the last round of `requests` has as
// many as `least` too: 16 requests in 5 places would leave one to go round alone at the end, in 8 they go two
// by two. `least` when there is none.
std::int64_t places_for(std::int64_t least, std::int64_t requests);

// The least free memory, the same on each device, with which a plan fits, whatever limit
// `config` names: what to tell somebody whose devices do not suffice. None when no memory is enough. Throws
// like make_plan.
std::optional<std::uint64_t> free_bytes_that_fit(const ModelCost& cost, std::span<const DeviceInfo> devices,
                                                 const Workload& workload, PartitionConfig config);

// The least PartitionConfig::memory_limit_bytes with which a plan fits these devices, whatever
// limit `config` names; none when they do not suffice without one. Throws like make_plan.
std::optional<std::uint64_t> limit_that_fits(const ModelCost& cost, std::span<const DeviceInfo> devices,
                                             const Workload& workload, PartitionConfig config);

// The predicted peaks of one stage among so many ranks in all groups. Exposed for tests and for what measures
// predictions.
//   in all phases: context + channels + weights that are there + the modulation table
//   weights of a network that streams: units that stay + the largest of the others for each of stream_slots()
//     + what one that comes is converted from
//   while a network is loaded: its weights and what the last of them are converted from
//   denoise: and workspace + boundaries (those of the pass at work, one received ahead when there is a
//     predecessor, one being sent when there is a successor) + states of all requests in flight; or, if that
//     is more, what is there while rows of the table are made
//   encode: and the larger of text encoder and VAE encoder, likewise; decode: VAE decoder, likewise.
PhaseBytes predict_peaks(const ModelCost& cost, const StagePlan& stage, std::int64_t ranks, const Held& held);

}  // namespace layerpipe::partition
