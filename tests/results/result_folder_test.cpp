// A folder for results: who may write there, what is an earlier run's own, and what is left when a process is
// killed anywhere while it puts results in their places.
#include "results/result_folder.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/errors.h"
#include "common/files.h"
#include "common/part_folder.h"
#include "results/documents.h"
#include "results/placement.h"
#include "results/run_record.h"
#include "tests/support/refusal.h"
#include "tests/support/temporary_folder.h"

namespace {

// So many changes of names until this process is killed; never where it is below zero.
int changes_until_killed = -1;

// What the system refuses to give a name that ends so; nothing where it is empty.
std::string refused_name;

bool is_refused(std::string_view name) {
  const std::string_view last = name.substr(name.find_last_of('/') + 1);
  const bool is =
      !refused_name.empty() && std::string_view(refused_name).find(last) != std::string_view::npos;
  if (is) errno = EIO;
  return is;
}

std::size_t bytes_read = 0;

void count_change() {
  if (changes_until_killed == 0) ::raise(SIGKILL);
  if (changes_until_killed > 0) --changes_until_killed;
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// In place of the C library's, for all of this program.
extern "C" int rename(const char* from, const char* to) noexcept {
  count_change();
  if (is_refused(to)) return -1;
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}
extern "C" ssize_t read(int descriptor, void* to, size_t count) {
  const ssize_t got = next<ssize_t (*)(int, void*, size_t)>("read")(descriptor, to, count);
  if (got > 0) bytes_read += static_cast<std::size_t>(got);
  return got;
}
extern "C" int unlink(const char* path) noexcept {
  count_change();
  return next<int (*)(const char*)>("unlink")(path);
}

namespace layerpipe::results {
namespace {

using layerpipe::testing::refusal;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

pid_t in_another_process(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    body();
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

class ResultFolderTest : public ::testing::Test {
 protected:
  static std::string text_of(const fs::path& file) { return common::read_text_file(file); }
  // Every file below the folder, with its content.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(out_)) {
      if (entry.is_regular_file()) all[entry.path().lexically_relative(out_)] = text_of(entry.path());
    }
    return all;
  }
  // Without the marks that a process leaves when it is killed.
  std::map<std::string, std::string> results_there() const {
    auto all = files();
    std::erase_if(all, [](const auto& file) { return file.first.find(".layerpipe") != std::string::npos; });
    return all;
  }
  void leave(const std::string& name, const std::string& text = "another's") const {
    fs::create_directories((out_ / name).parent_path());
    common::write_file_atomically(out_ / name, text);
  }
  ResultFolder::Request request(std::size_t results, const std::vector<std::string>& names = kNames,
                                Overwrite overwrite = Overwrite::kRefuse) const {
    FolderQuestion question{.folder = out_, .names = {}, .inputs = inputs_, .older = Older::kReplaced};
    for (std::size_t i = 0; i < results; ++i) {
      for (const std::string& name : names) question.names.push_back(part_of(i, results) / name);
      question.names.push_back(part_of(i, results) / kReportName);
    }
    return {.question = question, .option = "--out", .what = "results", .overwrite = overwrite};
  }
  // Results whose files say `text`, put in their places.
  void write(std::size_t results, const std::string& text, const std::vector<std::string>& names = kNames,
             Overwrite overwrite = Overwrite::kRefuse) const {
    ResultFolder folder(request(results, names, overwrite));
    stage(folder, results, text, names);
    folder.commit(Unplaced::kKeep);
  }
  void stage(ResultFolder& folder, std::size_t results, const std::string& text,
             const std::vector<std::string>& names = kNames) const {
    for (std::size_t i = 0; i < results; ++i) {
      RunRecord record = empty_record();
      record.number = i;
      record.results = results;
      for (const std::string& name : names) {
        const fs::path file = folder.staged(part_of(i, results) / name);
        common::write_file_atomically(file, text + std::to_string(i));
        record.files.push_back(name);
        record.written.push_back({name, content_of(file).value()});
      }
      record.run_id = text;
      common::write_file_atomically(folder.staged(part_of(i, results) / kReportName), run_json(record));
    }
  }
  // What is said when results are to be written.
  std::string refused(std::size_t results = 1, const std::vector<std::string>& names = kNames,
                      Overwrite overwrite = Overwrite::kRefuse) const {
    return refusal(out_, [&] { const ResultFolder folder(request(results, names, overwrite)); });
  }
  static fs::path part_of(std::size_t index, std::size_t results) {
    return results == 1 ? fs::path() : fs::path(std::to_string(index));
  }
  // One that parse_run_record() takes.
  static RunRecord empty_record() {
    RunRecord record;
    record.options = {{.name = "prompt", .values = {"a fox"}, .source = "default"}};
    record.picture_size = record.working_size = record.layer_size = {1, 1};
    set_plan(record, R"({"strategy": "balanced", "stages": [{"stage": 0, "rank": 0, "host": "a",
                         "blocks": [0, 1], "text_layers": [0, 1], "vae_percent": 100,
                         "residency": "resident"}]})");
    record.ranks.resize(1);
    return record;
  }
  static std::vector<std::string> names_of(const std::map<std::string, std::string>& files) {
    std::vector<std::string> names;
    for (const auto& [name, content] : files) names.push_back(name);
    return names;
  }

  inline static const std::vector<std::string> kNames{"layer_0.png", "composite.png", "layers.psd"};
  layerpipe::testing::TemporaryFolder folder_;
  fs::path out_ = folder_.path() / "out";
  std::vector<fs::path> inputs_;
};

TEST_F(ResultFolderTest, ReplacesWhatARunWroteAndNobodyChanged) {
  write(1, "first");
  leave("notes.txt");
  write(1, "second", {"layer_0.png"});
  EXPECT_THAT(names_of(files()), ElementsAre("layer_0.png", "notes.txt", "run.json"));
  EXPECT_EQ(text_of(out_ / "layer_0.png"), "second0");
}

// Whatever it is, and whatever run.json says of it.
TEST_F(ResultFolderTest, RefusesToReplaceWhatIsNoRunsOwn) {
  leave("layers.psd");
  EXPECT_EQ(refused(), "--out FILE: in the way of the results lies layers.psd");
  fs::remove(out_ / "layers.psd");
  fs::create_symlink("notes.txt", out_ / "layers.psd");
  fs::create_directory(out_ / "composite.png");
  leave("run.json", "{}");
  EXPECT_EQ(refused(),
            "--out FILE: in the way of the results lie composite.png (a folder), layers.psd and run.json");
  EXPECT_EQ(refused(1, {"layers.psd"}, Overwrite::kReplace), "accepted");
  EXPECT_EQ(refused(1, kNames, Overwrite::kReplace),
            "--out FILE: in the way of the results lies composite.png (a folder)");
  EXPECT_TRUE(fs::is_symlink(out_ / "layers.psd"));
}

TEST_F(ResultFolderTest, RefusesToReplaceOrTakeAwayWhatWasEdited) {
  write(1, "first");
  const auto before = files();
  for (const std::string& name : {std::string("layer_0.png"), std::string("layers.psd")}) {
    leave(name, before.at(name) + "!");
    EXPECT_EQ(refused(), "--out FILE: in the way of the results lies " + name + " (edited)");
    EXPECT_EQ(refused(2), "--out FILE: in the way of the results lies " + name + " (edited)");
    EXPECT_EQ(refused(1, {"composite.png"}),
              "--out FILE: in the way of the results lies " + name + " (edited)");
    leave(name, before.at(name));
  }
  std::string report = before.at("run.json");
  report.replace(report.find("a fox"), 5, "a dog");
  leave("run.json", report);
  EXPECT_EQ(refused(), "--out FILE: in the way of the results lies run.json (edited)");
  leave("run.json", before.at("run.json"));
  EXPECT_EQ(refused(), "accepted");
  EXPECT_EQ(files(), before);
}

TEST_F(ResultFolderTest, TellsEditsOfANumberedResult) {
  write(3, "first");
  leave("1/layers.psd", "edited for hours");
  const std::string message = "--out FILE: in the way of the results lies 1/layers.psd (edited)";
  EXPECT_EQ(refused(1), message);
  EXPECT_EQ(refused(2), message);
  EXPECT_EQ(refused(3, {"layer_0.png"}), message);
}

// A run.json as it was before files had hashes.
TEST_F(ResultFolderTest, CannotProveAnythingOfAnOlderRun) {
  write(1, "first");
  auto json = nlohmann::json::parse(text_of(out_ / "run.json"));
  json.erase("written");
  json["files"].push_back("dumps/latents.safetensors");
  leave("run.json", json.dump());
  EXPECT_EQ(refused(1, {"layer_0.png"}),
            "--out FILE: in the way of the results lie composite.png (of a run that noted no hashes), "
            "layer_0.png (of a run that noted no hashes), layers.psd (of a run that noted no hashes) and "
            "run.json (of a run that noted no hashes)");
  write(1, "second", {"layer_0.png"}, Overwrite::kReplace);
  EXPECT_EQ(text_of(out_ / "layer_0.png"), "second0");
  EXPECT_EQ(text_of(out_ / "layers.psd"), "first0");
}

TEST_F(ResultFolderTest, NamesTheFirstOfVeryMany) {
  std::vector<std::string> names;
  for (int i = 0; i < 33; ++i) names.push_back("layer_" + std::to_string(i) + ".png");
  for (const std::string& name : names) leave(name);
  EXPECT_THAT(refused(1, names), ::testing::EndsWith("layer_25.png, layer_26.png and 13 more"));
}

TEST_F(ResultFolderTest, OverwritesByNameAlone) {
  write(1, "first");
  leave("layers.psd", "edited for hours");
  leave("layer_0.png", "edited for hours");
  leave("notes.txt");
  write(1, "second", {"layer_0.png"}, Overwrite::kReplace);
  EXPECT_THAT(names_of(files()), ElementsAre("layer_0.png", "layers.psd", "notes.txt", "run.json"));
  EXPECT_EQ(text_of(out_ / "layer_0.png"), "second0");
  EXPECT_EQ(text_of(out_ / "layers.psd"), "edited for hours");
}

// A run.json comes from anywhere: with names that lead out of the folder, and right hashes.
TEST_F(ResultFolderTest, TakesNothingAwayThatLiesElsewhere) {
  const fs::path elsewhere = folder_.path() / "elsewhere.txt";
  common::write_file_atomically(elsewhere, std::string_view("another's"));
  RunRecord record = empty_record();
  leave("below/notes.txt");
  for (const std::string& name : {std::string("../elsewhere.txt"), elsewhere.string(),
                                  std::string("below/notes.txt"), std::string(".."), std::string(".")})
    record.written.push_back({name, content_of(elsewhere).value()});
  leave("run.json", run_json(record));
  write(1, "second");
  EXPECT_TRUE(fs::exists(elsewhere));
  EXPECT_TRUE(fs::exists(out_ / "below" / "notes.txt"));
}

TEST_F(ResultFolderTest, LeavesNothingOfWhatWasNotPutInItsPlace) {
  write(1, "first");
  const auto before = files();
  {
    ResultFolder folder(request(1));
    stage(folder, 1, "second");
  }
  EXPECT_EQ(files(), before);
}

TEST_F(ResultFolderTest, SaysWhereAFileWouldLie) {
  ResultFolder folder(request(1));
  const fs::path file = folder.staged("layers.psd");
  const std::string said = refusal(out_, [&] {
    folder.write([&] { throw common::InputError("too many layers for " + file.string(), "Take fewer."); });
  });
  EXPECT_EQ(said, "too many layers for FILE/layers.psd");
}

// Every moment of putting results in their places, with other results there before.
TEST_F(ResultFolderTest, AKilledProcessLosesNeitherOldNorNewResults) {
  struct Change {
    std::size_t before;
    std::size_t after;
  };
  for (const auto [before, after] : {Change{1, 1}, Change{2, 1}, Change{1, 2}, Change{3, 2}}) {
    fs::remove_all(out_);
    write(after, "second", {"layer_0.png"});
    const auto new_files = files();
    fs::remove_all(out_);
    write(before, "first");
    const auto old_files = files();
    bool is_replaced = false;
    bool was_mended = false;
    int changes = 0;
    for (;; ++changes) {
      const pid_t child = in_another_process([&] {
        changes_until_killed = changes;
        write(after, "second", {"layer_0.png"});
      });
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      const auto left = begun_placements(out_);
      if (left.empty() && !is_replaced) {
        // Before the note: the old files lie there, beside parts without a name.
        const auto found = results_there();
        is_replaced = found == new_files;
        EXPECT_TRUE(is_replaced || found == old_files) << changes << " changes, then killed";
      } else if (!left.empty()) {
        was_mended = true;
        mend(out_);
        const auto found = results_there();
        EXPECT_EQ(found, new_files) << changes << " changes, then killed";
      }
      if (WIFEXITED(status)) break;
      if (is_replaced || !left.empty()) {  // again from the beginning
        fs::remove_all(out_);
        write(before, "first");
        is_replaced = false;
      }
    }
    EXPECT_TRUE(was_mended);
    EXPECT_GT(changes, 8);
    EXPECT_EQ(files(), new_files);  // and no part, no lock
  }
}

// Nothing is taken away blindly by the one that comes after.
TEST_F(ResultFolderTest, SaysWhatCameBetweenTheDeathAndTheNextRun) {
  write(1, "first");
  const pid_t child = in_another_process([&] {
    changes_until_killed = 6;
    write(1, "second");
  });
  ::waitpid(child, nullptr, 0);
  const auto left = begun_placements(out_);
  ASSERT_EQ(left.size(), 1U);
  for (const char* name : {"layer_0.png", "composite.png", "layers.psd"}) leave(name, "mine by now");
  fs::remove(out_ / FolderLock::kFileName);
  const auto before = files();
  try {
    const ResultFolder folder(request(1));
    ADD_FAILURE() << "nothing was refused";
  } catch (const common::InputError& error) {
    EXPECT_THAT(error.what(), ::testing::EndsWith("/out/composite.png has changed since"));
    EXPECT_EQ(error.remedy(), "A run was killed while it put its results in their places; they lie in " +
                                  left[0].string() + ". Move them, or what is in their way.");
  }
  EXPECT_EQ(files(), before);
  for (const char* name : {"layer_0.png", "composite.png", "layers.psd"}) fs::remove(out_ / name);
  EXPECT_EQ(refused(), "accepted");
  EXPECT_EQ(text_of(out_ / "layers.psd"), "second0");
}

// Its lock is that of its own folder, so it is not kept out.
TEST_F(ResultFolderTest, KeepsWhatARunIntoANumberedFolderHasFinishedMeanwhile) {
  write(2, "first");
  ResultFolder folder(request(2));
  stage(folder, 2, "second");
  ResultFolder::Request of_the_other = request(1);
  of_the_other.question.folder = out_ / "0";
  ResultFolder other(of_the_other);
  stage(other, 1, "other");
  other.commit(Unplaced::kKeep);
  EXPECT_THROW(folder.commit(Unplaced::kKeep), common::OutputError);
  EXPECT_EQ(text_of(out_ / "0" / "layer_0.png"), "other0");
  EXPECT_EQ(text_of(out_ / "1" / "layer_0.png"), "first1");
  EXPECT_EQ(text_of(out_ / "unplaced" / "0" / "layer_0.png"), "second0");
}

// What an earlier run left may be many gigabytes, and ranks wait for the one that looks at it.
TEST_F(ResultFolderTest, ReadsOldFilesOnceAndTellsThatItLives) {
  constexpr std::size_t kLarge = 8 << 20;
  write(1, std::string(kLarge, 'a'));
  std::this_thread::sleep_for(std::chrono::milliseconds(3100));  // until their times tell of every change
  bytes_read = 0;
  int told = 0;
  ResultFolder::Request of_new = request(1, {"layer_0.png"});
  of_new.moved = [&] { ++told; };
  ResultFolder folder(of_new);
  EXPECT_GE(told, 1);
  stage(folder, 1, "second", {"layer_0.png"});
  folder.commit(Unplaced::kKeep);
  EXPECT_THAT(names_of(results_there()), ElementsAre("layer_0.png", "run.json"));
  const std::size_t old_bytes = (kNames.size() + 1) * kLarge;  // run.json has the text, too
  EXPECT_GE(bytes_read, old_bytes);
  EXPECT_LT(bytes_read, old_bytes + kLarge / 2);
}

// Also when the size and the time of the last change are those of before.
TEST_F(ResultFolderTest, SeesWhatIsWrittenToAFileThatItKnows) {
  write(1, "first");
  std::this_thread::sleep_for(std::chrono::milliseconds(3100));
  ResultFolder folder(request(1));
  stage(folder, 1, "second");
  const fs::path file = out_ / "layers.psd";
  const auto time = fs::last_write_time(file);
  {
    std::fstream stream(file, std::ios::in | std::ios::out);
    stream << 'F';
  }
  fs::last_write_time(file, time);
  EXPECT_THROW(folder.commit(Unplaced::kKeep), common::OutputError);
  EXPECT_EQ(text_of(file), "First0");
}

// Hours of work, on a disk on which the system refuses to do what is left to do.
class RefusedBySystem : public ResultFolderTest {
 protected:
  ~RefusedBySystem() override { refused_name.clear(); }
  struct Said {
    std::string message;
    std::string remedy;
  };
  // What is said when names that are in `refused` cannot be given.
  Said said(const std::string& refused, Unplaced unplaced = Unplaced::kKeep) {
    ResultFolder folder(request(1));
    stage(folder, 1, "second");
    if (is_edited_meanwhile_) leave("layers.psd", "edited for hours");
    refused_name = refused;
    try {
      folder.commit(unplaced);
    } catch (const common::OutputError& error) {
      refused_name.clear();
      for (const fs::path& part : common::parts_in(out_)) {
        if (part.filename() != FolderLock::kFileName) part_ = part;
      }
      return {without_paths(error.what()), error.remedy()};
    }
    return {"nothing", ""};
  }
  std::string without_paths(std::string text) const {
    const auto replace = [&](const std::string& from, const std::string& to) {
      for (auto at = text.find(from); !from.empty() && at != std::string::npos; at = text.find(from))
        text.replace(at, from.size(), to);
    };
    replace(out_.string(), "OUT");
    replace(part_.filename().string(), ".layerpipe-…");
    return text;
  }
  void expect_second_in(const fs::path& folder) const {
    EXPECT_THAT(files_in(folder), ElementsAre("composite.png", "layer_0.png", "layers.psd", "run.json"));
    EXPECT_EQ(text_of(folder / "layer_0.png"), "second0");
  }
  static std::vector<std::string> files_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  bool is_edited_meanwhile_ = false;
  fs::path part_;
};

TEST_F(RefusedBySystem, KeepsWhatCannotBeNoted) {
  write(1, "first");
  const Said said = this->said("placement.json");
  EXPECT_EQ(said.message,
            "cannot write OUT/placement.json: Input/output error (errno 5); the results lie in OUT/unplaced");
  EXPECT_EQ(said.remedy, "Move them to their places by hand.");
  expect_second_in(out_ / "unplaced");
  EXPECT_EQ(text_of(out_ / "layer_0.png"), "first0");
}

TEST_F(RefusedBySystem, LeavesTheStagingFolderWhereNothingElseCanBeDone) {
  for (const bool is_edited_meanwhile : {false, true}) {
    fs::remove_all(out_);
    write(1, "first");
    is_edited_meanwhile_ = is_edited_meanwhile;
    const Said said = this->said("placement.json unplaced");
    EXPECT_EQ(
        said.message,
        is_edited_meanwhile
            ? "--out OUT: in the way of the results lies layers.psd (edited) by now; the results lie in "
              "OUT/.layerpipe-…"
            : "cannot write OUT/placement.json: Input/output error (errno 5); the results lie in "
              "OUT/.layerpipe-…");
    EXPECT_EQ(
        said.remedy,
        "Move them to their places by hand before another run writes into this folder, which takes away "
        "what lies there.");
    expect_second_in(part_);
    EXPECT_EQ(text_of(out_ / "layer_0.png"), "first0");
  }
}

TEST_F(RefusedBySystem, EndsLaterWhatHasBegun) {
  write(1, "first");
  const Said said = this->said("layer_0.png");
  EXPECT_EQ(said.message,
            "cannot write OUT/layer_0.png: Input/output error (errno 5); the results that are not in their "
            "places yet lie in OUT/.layerpipe-…");
  EXPECT_THAT(said.remedy,
              ::testing::EndsWith(" The next run into this folder puts them in their places first."));
  EXPECT_EQ(refused(), "accepted");
  expect_second_in(out_);
}

TEST_F(RefusedBySystem, DropsWhatIsMadeAgainInSeconds) {
  write(1, "first");
  const auto before = files();
  EXPECT_THAT(said("placement.json", Unplaced::kDrop).message, ::testing::EndsWith("(errno 5)"));
  EXPECT_EQ(files(), before);
}

TEST_F(ResultFolderTest, IsHeldByOneAtATime) {
  write(2, "first");
  const ResultFolder folder(request(2));
  EXPECT_EQ(refused(2).find("another run writes into FILE: process " + std::to_string(::getpid()) + " on "),
            0U)
      << refused(2);
  // Another folder beside, as those of a batch are.
  out_ = folder_.path() / "beside";
  write(2, "first");
  EXPECT_EQ(refused(2), "accepted");
  // And a result of a set is the --out of another run.
  const FolderLock lock(out_ / "1");
  EXPECT_EQ(refused(2).find("another run writes into FILE/1: process "), 0U) << refused(2);
}

TEST_F(ResultFolderTest, IsFreeWhenItsHolderIsKilled) {
  fs::create_directories(out_);
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = in_another_process([&] {
    const ResultFolder folder(request(1));
    [[maybe_unused]] const ssize_t told = ::write(ready[1], "x", 1);
    ::pause();
  });
  char letter = 0;
  ASSERT_EQ(::read(ready[0], &letter, 1), 1);
  EXPECT_EQ(refused().find("another run writes into FILE: process " + std::to_string(child) + " on "), 0U);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int end : ready) ::close(end);
  EXPECT_TRUE(fs::exists(out_ / FolderLock::kFileName));
  EXPECT_EQ(refused(), "accepted");
  EXPECT_THAT(names_of(files()), IsEmpty());
}

// Many that come and go, each of which removes the file of the lock.
TEST_F(ResultFolderTest, IsHeldByOneOfManyThatCompete) {
  fs::create_directories(out_);
  const fs::path counter = folder_.path() / "counter";
  common::write_file_atomically(counter, std::string_view("0"));
  constexpr int kProcesses = 6;
  constexpr int kTurns = 200;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(in_another_process([&] {
      for (int turn = 0; turn < kTurns;) {
        try {
          const FolderLock lock(out_);
          const int count = std::stoi(text_of(counter));
          common::write_file_atomically(counter, std::to_string(count + 1));
          ++turn;
        } catch (const common::InputError&) {
          ::usleep(10);
        }
      }
    }));
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(text_of(counter), std::to_string(kProcesses * kTurns));
}

// Nothing of the file is shown that is no plain text.
TEST_F(ResultFolderTest, TellsAHolderOnlyInPlainLetters) {
  fs::create_directories(out_);
  const fs::path file = out_ / FolderLock::kFileName;
  common::write_file_atomically(file, std::string_view("process 7 \x1b[2J on elsewhere\n"));
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(descriptor, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(refused(), "another run writes into FILE");
  ::close(descriptor);
}

// A note comes from anywhere, too.
TEST_F(ResultFolderTest, EndsNoPlacementThatLeadsElsewhere) {
  const fs::path elsewhere = folder_.path() / "elsewhere.txt";
  for (const std::string& name :
       {std::string("../elsewhere.txt"), elsewhere.string(), std::string("a/../../b")}) {
    fs::remove_all(out_);
    fs::create_directories(out_);
    const fs::path part = common::make_part_folder(out_);
    const nlohmann::json note{{"place", {{{"name", name}}}}, {"remove", nlohmann::json::array()}};
    common::write_file_atomically(part / "placement.json", note.dump());
    EXPECT_THAT(refused(),
                ::testing::HasSubstr("\"place[0].name\" is \"" + name + "\", not the name of a file"));
  }
}

// A folder that was received from somebody, with links in it: no file below `elsewhere_` is moved, changed or
// taken away, and none is made there.
class ReceivedFolder : public ResultFolderTest {
 protected:
  void SetUp() override {
    fs::create_directories(out_);
    fs::create_directories(elsewhere_);
    common::write_file_atomically(elsewhere_ / "kept.txt", std::string_view("mine"));
  }
  static nlohmann::json named(const std::string& name, const std::string& content_of_file = {}) {
    nlohmann::json file{{"name", name}};
    if (content_of_file.empty()) return file;
    const FileContent content = content_of(content_of_file).value();
    file.update({{"bytes", content.bytes}, {"hash", content.hash}});
    return file;
  }
  static void note(const fs::path& file, const nlohmann::json& place, const nlohmann::json& remove) {
    common::write_file_atomically(file, nlohmann::json{{"place", place}, {"remove", remove}}.dump());
  }
  void expect_nothing_happened(const std::string& said) const {
    std::vector<std::string> there;
    for (const auto& entry : fs::recursive_directory_iterator(elsewhere_))
      there.push_back(entry.path().lexically_relative(elsewhere_));
    EXPECT_THAT(there, ElementsAre("kept.txt")) << said;
    EXPECT_EQ(text_of(elsewhere_ / "kept.txt"), "mine");
  }
  // What mend() says, and what a run into the folder does.
  std::pair<std::string, std::string> said() const {
    const std::string mended = refusal(out_, [&] { mend(out_); });
    return {mended, refused()};
  }

  const fs::path elsewhere_ = folder_.path() / "elsewhere";
  const nlohmann::json none_ = nlohmann::json::array();
};

TEST_F(ReceivedFolder, WithALinkInPlaceOfAStagingFolder) {
  note(elsewhere_ / "placement.json", {named("kept.txt")}, none_);
  fs::create_symlink(elsewhere_, out_ / ".layerpipe-abcdef");
  const auto [mended, run] = said();
  EXPECT_TRUE(fs::remove(elsewhere_ / "placement.json"));
  expect_nothing_happened(mended);
  EXPECT_EQ(mended, "accepted");
  EXPECT_FALSE(fs::exists(out_ / "kept.txt"));
}

TEST_F(ReceivedFolder, WithALinkInPlaceOfANote) {
  const fs::path part = common::make_part_folder(out_);
  common::write_file_atomically(part / "layers.psd", std::string_view("planted"));
  note(folder_.path() / "note.json", {named("layers.psd")}, none_);
  fs::create_symlink(folder_.path() / "note.json", part / "placement.json");
  const auto [mended, run] = said();
  EXPECT_EQ(mended, "accepted");
  EXPECT_FALSE(fs::exists(out_ / "layers.psd"));
  EXPECT_TRUE(fs::exists(folder_.path() / "note.json"));
}

TEST_F(ReceivedFolder, WithLinksOnTheWayToFiles) {
  const fs::path part = common::make_part_folder(out_);
  fs::create_directories(part / "far" / "below");
  common::write_file_atomically(part / "far" / "below" / "new.txt", std::string_view("planted"));
  common::write_file_atomically(part / "far" / "new.txt", std::string_view("planted"));
  fs::create_symlink(elsewhere_, part / "near");
  fs::create_symlink(elsewhere_, out_ / "far");
  struct Note {
    nlohmann::json place;
    nlohmann::json remove;
    std::string link;
  };
  const std::string kept = elsewhere_ / "kept.txt";
  const std::string of_part = part.filename().string() + "/near";
  for (const Note& one :
       {Note{{named("far/new.txt")}, none_, "far"}, Note{{named("far/below/new.txt")}, none_, "far"},
        Note{{named("near/kept.txt")}, none_, of_part}, Note{none_, {named("far/kept.txt", kept)}, "far"}}) {
    note(part / "placement.json", one.place, one.remove);
    const auto [mended, run] = said();
    expect_nothing_happened(mended);
    std::string expected = "FILE/far is a link, so what is put in its place there would lie elsewhere";
    expected.replace(expected.find("far"), 3, one.link);
    EXPECT_EQ(mended, expected);
    EXPECT_EQ(run, mended);
  }
}

}  // namespace
}  // namespace layerpipe::results
