// A plan as people and programs read it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>

#include "partition/device_info.h"
#include "partition/plan.h"

namespace layerpipe::launch {

// What a plan is for, as its table says.
struct PlanSubject {
  std::string model;
  std::string work;  // "4 layers at 640 px, guidance on, bf16"
  std::int64_t pictures = 1;
  std::string notes{};  // further lines under the table; may be empty
};

// What else is to be known of devices that are there, in lines: GPUs of which others hold more than 1 GiB
// (less is a display's, or the driver's own), and their speeds where they were measured,
// also how fast weights come to the slowest.
std::string device_notes(std::span<const partition::DeviceInfo> devices, const at::Device& kind);

// A line for each rank, at most 110 columns wide; where weights stream, another one each with what that asks
// for; then totals, hosts and remarks.
std::string plan_table(const partition::Plan& plan, const PlanSubject& subject);

// What is to be made, in numbers.
struct WorkWords {
  std::int64_t layers = 4;
  std::int64_t resolution = 640;
  std::int64_t branches = 2;
  std::int64_t pictures = 1;
  std::string dtype;
};

// "4 layers at 640 px, guidance, bf16, 3 pictures"
std::string work_text(const WorkWords& work);

}  // namespace layerpipe::launch
