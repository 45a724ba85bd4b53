#include "session/exit_report.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>

#include "common/units.h"
#include "common/visible.h"

namespace layerpipe::session {
namespace {

using common::ExitCode;

// The bytes that LibTorch's CPU allocator could not get; nothing when `text` is not its complaint, for which
// it has no type of its own.
std::optional<std::uint64_t> refused_bytes(std::string_view text) {
  if (text.find("DefaultCPUAllocator") == std::string_view::npos) return std::nullopt;
  constexpr std::string_view kBefore = "you tried to allocate ";
  std::uint64_t bytes = 0;
  if (const auto at = text.find(kBefore); at != std::string_view::npos) {
    std::from_chars(text.data() + at + kBefore.size(), text.data() + text.size(), bytes);
  }
  return bytes;
}

// LibTorch's texts, and those of the CUDA runtime in them, go on over several lines.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// `bytes`: what was asked for, 0 when nobody knows.
Failure machine_is_full(std::uint64_t bytes, const std::string& doing) {
  std::string what = "the machine has not enough memory";
  if (!doing.empty()) what += " for " + doing;
  if (bytes > 0) what += fmt::format(": {} more were asked for", common::format_bytes(bytes));
  return {ExitCode::kDoesNotFit, std::move(what),
          "Close other programs, or try a smaller --resolution, fewer --layers or --dtype bf16."};
}

// The system starts no thread where a limit on processes or on memory is reached.
Failure no_more_threads(const std::string& doing) {
  return {ExitCode::kDoesNotFit,
          "the machine gives this process no more threads" + (doing.empty() ? doing : " for " + doing),
          "Close other programs, or raise the limits on processes and memory (ulimit -u, ulimit -v, a "
          "container's)."};
}

}  // namespace

Failure explain(const std::exception_ptr& failure, const std::string& doing) {
  try {
    std::rethrow_exception(failure);
  } catch (const common::Error& error) {
    return {error.exit_code(), error.what(), error.remedy()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::kInput, error.what(), "Check the paths that were given."};
  } catch (const c10::OutOfMemoryError& error) {
    return {ExitCode::kDoesNotFit,
            "the device has not enough memory: " + first_line(error.what_without_backtrace()),
            "Try a smaller --resolution, fewer --layers or --dtype bf16."};
  } catch (const std::bad_alloc&) {
    return machine_is_full(0, doing);
  } catch (const c10::Error& error) {
    if (const auto bytes = refused_bytes(error.what_without_backtrace()))
      return machine_is_full(*bytes, doing);
    return {ExitCode::kInternal, "LibTorch failed: " + first_line(error.what_without_backtrace()), {}};
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) return no_more_threads(doing);
    return {ExitCode::kInternal, error.what(), {}};
  } catch (const std::exception& error) {
    return {ExitCode::kInternal, error.what(), {}};
  }
}

Failure interrupted(int signal_number) {
  const common::InterruptedError error;
  if (signal_number == SIGTERM) return {ExitCode::kTerminated, "terminated", error.remedy()};
  return {error.exit_code(), error.what(), error.remedy()};
}

void print(const Failure& failure) {
  // It is written in one piece, since other ranks write to the same terminal.
  std::string text = "layerpipe: " + common::visible(failure.what) + '\n';
  if (!failure.remedy.empty()) text += "  " + common::visible_lines(failure.remedy) + '\n';
  std::cerr << text << std::flush;
}

std::string doing_after(const runtime::Progress& progress) {
  if (progress.work == runtime::Progress::Work::kLoad && progress.done < progress.total) {
    return std::string("loading the ") + to_string(progress.network);
  }
  if (progress.work == runtime::Progress::Work::kPrepare && progress.done < progress.total)
    return "making the modulation table";
  switch (progress.phase) {
    case partition::Phase::kEncode:
      return "encoding";
    case partition::Phase::kDenoise:
      return "denoising";
    case partition::Phase::kDecode:
      return "decoding";
  }
  return {};
}

}  // namespace layerpipe::session
