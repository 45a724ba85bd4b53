// An observer for tests that look at something else.
#pragma once

#include "session/run_observer.h"

namespace layerpipe::session {

class SilentObserver : public RunObserver {
 public:
  void notice(const std::string&) override {}
  void failed(const std::string&) override {}
  void planned(const PlannedRun&) override {}
  void work_begins(std::function<runtime::MemoryUse()>) override {}
  void window_begins(const common::Range&, std::int64_t) override {}
  void progress(const runtime::Progress&) override {}
  void writing(const results::WritingProgress&) override {}
  void work_ends() noexcept override {}
};

}  // namespace layerpipe::session
