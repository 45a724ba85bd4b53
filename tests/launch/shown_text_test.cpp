// Whatever a file, a path or a header holds: what the program says of it is text that a terminal only shows.
// Every field of every kind of file that is read gets a text with an escape sequence, line ends and a mark of
// direction. Commands run within this process: it takes hundreds of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "comm/communicator.h"
#include "comm/local/local_transport.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/utf8.h"
#include "common/visible.h"
#include "launch/commands/commands.h"
#include "launch/options/command_line.h"
#include "launch/terminal/visible_output.h"
#include "media/zip_writer.h"
#include "session/exit_report.h"
#include "tests/launch/program.h"

namespace layerpipe::launch {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A terminal would become red, show a line that the program never said, and turn the text behind it round.
const std::string kForged = "layerpipe: forged";
const std::string kEvil = "x\x1b[31m\n" + kForged + "\r\n" + kForged +
                          "\xe2\x80\xaegnp\xc2\x9b"
                          "0m\x7f\xe2\x80\xa8\xe2\x81\xa6";
const std::string kSeen = "x\\u001B[31m";
const std::string kSeenAnyhow = "[31m";  // whatever stands for the escape

// As launch/main.cpp runs a command.
std::string everything_said(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"layerpipe"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  static const std::atomic<bool> stop_requested{false};
  std::ostringstream out;
  ::testing::internal::CaptureStderr();
  std::string doing;
  try {
    const PreparedCommand command =
        parse_command_line(static_cast<int>(argv.size()), argv.data(), all_commands());
    VisibleOutput visible(out);
    const auto communicator = std::move(comm::connect_local(1, std::chrono::minutes(1)).front());
    command.run({communicator.get(), stop_requested, visible.stream(), doing});
  } catch (...) {
    session::print(session::explain(std::current_exception(), doing));
  }
  return out.str() + ::testing::internal::GetCapturedStderr();
}

// The first thing in `text` that a terminal would not just show.
std::string harm_in(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    if (line.substr(begin).starts_with(kForged)) return "a forged line: " + line;
    for (std::size_t place = 0; place < line.size();) {
      const common::Utf8Step step = common::utf8_step(line, place);
      if (!step.code_point) return "bytes that are not UTF-8 in " + common::visible(line);
      if (common::is_hidden(*step.code_point)) return "a hidden character in " + common::visible(line);
      place += step.length;
    }
  }
  return {};
}

// Every change of `json` that puts the text into one field or one key: of many neighbours, into the first
// few.
std::vector<std::pair<std::string, Json>> spoilt(const Json& json) {
  constexpr int kMostNeighbours = 4;
  std::vector<std::pair<std::string, Json>> changes;
  std::vector<Json::json_pointer> open{Json::json_pointer()};
  while (!open.empty()) {
    const Json::json_pointer place = open.back();
    open.pop_back();
    const Json& value = json.at(place);
    if (!value.is_structured()) {
      changes.emplace_back(place.to_string(), json).second[place] = kEvil;
      continue;
    }
    int count = 0;
    for (const auto& [key, child] : value.items()) {
      if (++count > kMostNeighbours && value.size() > (child.is_structured() ? 40 : 100)) break;
      open.push_back(value.is_array() ? place / static_cast<std::size_t>(count - 1) : place / key);
      if (!value.is_object()) continue;
      Json& object = changes.emplace_back("key of " + (place / key).to_string(), json).second[place];
      object[key + kEvil] = object[key];
      object.erase(key);
    }
    if (count > 0) changes.emplace_back("all of " + place.to_string(), json).second[place] = kEvil;
  }
  return changes;
}

class ShownText : public ::testing::Test {
 protected:
  ShownText() {
    fs::copy(layerpipe::testing::small_model(), model_, fs::copy_options::recursive);
    fs::copy_file(layerpipe::testing::demo_picture(), picture_);
  }
  ~ShownText() override {
    // Without it nothing was tested.
    EXPECT_GE(shown_, least_shown_) << "so few of " << commands_ << " commands showed the text";
  }

  std::vector<std::string> decompose_arguments() const {
    return {"decompose", "--model", model_,         "--image", picture_,           "--out",   out_,
            "--device",  "cpu",     "--resolution", "64",      "--any-resolution", "--steps", "1",
            "--layers",  "2",       "--prompt",     "a, b",    "--no-cfg"};
  }
  // `where`: what was spoilt.
  void expect_harmless(const std::vector<std::string>& arguments, const std::string& where) {
    const std::string said = everything_said(arguments);
    EXPECT_EQ(harm_in(said), "") << arguments.front() << ", " << where;
    ++commands_;
    if (said.find(kSeenAnyhow) != said.npos) ++shown_;
  }
  // With every change of a JSON file, and as it was afterwards.
  void expect_harmless_with(const fs::path& file, const std::vector<std::vector<std::string>>& commands) {
    const std::string before = common::read_text_file(file);
    for (const auto& [where, json] : spoilt(Json::parse(before))) {
      common::write_file_atomically(file, json.dump());
      for (const auto& arguments : commands) expect_harmless(arguments, file.string() + ": " + where);
    }
    common::write_file_atomically(file, before);
  }

  layerpipe::testing::TemporaryFolder folder_;
  fs::path model_ = folder_.path() / "model";
  fs::path picture_ = folder_.path() / "picture.png";
  fs::path out_ = folder_.path() / "out";
  int commands_ = 0;
  int shown_ = 0;
  int least_shown_ = 1;
};

TEST_F(ShownText, OfTheModelsFiles) {
  least_shown_ = 60;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(model_)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  ASSERT_GT(files.size(), 8U);
  for (const fs::path& file : files)
    expect_harmless_with(file, {{"inspect", "--model", model_}, {"plan", "--model", model_, "--json"}});
}

TEST_F(ShownText, OfTheTokenizersMerges) {
  const fs::path file = model_ / "tokenizer" / "merges.txt";
  const std::string before = common::read_text_file(file);
  for (const std::string& line : {kEvil, "a " + kEvil, "#version: " + kEvil})
    for (const std::string& text : {line + "\n" + before, before + line}) {
      common::write_file_atomically(file, text);
      expect_harmless({"plan", "--model", model_}, "merges.txt");
    }
}

TEST_F(ShownText, OfTheWeightsHeaders) {
  least_shown_ = 6;
  const fs::path file = model_ / "vae" / "diffusion_pytorch_model.safetensors";
  const std::string before = common::read_text_file(file);
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, before.data(), sizeof bytes);
  Json header = Json::parse(before.substr(8, bytes));
  header["__metadata__"]["format"] = "pt";
  for (const auto& [where, json] : spoilt(header)) {
    const std::string text = json.dump();
    const std::uint64_t length = text.size();
    common::write_file_atomically(
        file, std::string(reinterpret_cast<const char*>(&length), 8) + text + before.substr(8 + bytes));
    for (const char* command : {"inspect", "plan"}) expect_harmless({command, "--model", model_}, where);
  }
  common::write_file_atomically(file, kEvil + before);
  expect_harmless({"inspect", "--model", model_}, "the length");
}

TEST_F(ShownText, OfAPartitionConfig) {
  const std::string config =
      "partition:\n  strategy: explicit\n  residency: {transformer: resident}\n  reserve: 1MiB\n  stages:\n"
      "    - {rank: 0, transformer: 0-1, text_encoder: 0-1, vae: 100%}\n"
      "comm: {channel: mpi, timeout: 5s}\nruntime: {dtype: fp32, in_flight: 1}\n";
  const fs::path file = folder_.path() / "run.yaml";
  const std::string quoted = "\"x\\e[31m\\n" + kForged + "\\u202E\\r\\u2028\\x9b\\x7f\"";
  least_shown_ = 10;
  for (std::size_t begin = 0; (begin = config.find_first_not_of(" \n,{}:-", begin)) != config.npos;) {
    const std::size_t end = config.find_first_of(" \n,{}:", begin);
    for (const std::string& text : {quoted, kEvil}) {
      common::write_file_atomically(file, config.substr(0, begin) + text + config.substr(end));
      expect_harmless({"plan", "--model", model_, "--partition", file}, config.substr(begin, end - begin));
    }
    begin = end;
  }
}

// run.json, through all that read it.
TEST_F(ShownText, OfARunsRecord) {
  least_shown_ = 40;
  auto arguments = decompose_arguments();
  arguments.insert(arguments.end(), {"--trace", folder_.path() / "trace.json"});
  ASSERT_EQ(harm_in(everything_said(arguments)), "");
  const fs::path run = out_ / "run.json";
  ASSERT_TRUE(fs::exists(run));
  const fs::path elsewhere = folder_.path() / "documents";
  expect_harmless_with(run,
                       {{"report", run, "--out", folder_.path() / "page.html"},
                        {"export", "--in", out_, "--out", elsewhere, "--format", "psd,html"},
                        {"export", "--in", out_, "--out", elsewhere, "--format", "psd", "--nest", out_}});
}

TEST_F(ShownText, OfARunThatIsMadeAgain) {
  least_shown_ = 20;
  ASSERT_EQ(harm_in(everything_said(decompose_arguments())), "");
  const fs::path run = out_ / "run.json";
  const std::string before = common::read_text_file(run);
  for (const auto& [where, json] : spoilt(Json::parse(before))) {
    // What was measured, and where options came from, is not looked at.
    bool is_passed_over = false;
    for (const char* part : {"/ranks", "/plan", "/seconds", "/memory", "/options/"})
      is_passed_over = is_passed_over || where.find(part) != where.npos;
    if (is_passed_over) continue;
    common::write_file_atomically(run, json.dump());
    expect_harmless({"rerun", run}, where);
  }
}

TEST_F(ShownText, OfATrace) {
  least_shown_ = 0;  // misfits are described in words of our own, but for what is not JSON
  auto arguments = decompose_arguments();
  const fs::path trace = folder_.path() / "trace.json";
  arguments.insert(arguments.end(), {"--trace", trace});
  everything_said(arguments);
  ASSERT_TRUE(fs::exists(trace));
  expect_harmless_with(trace, {{"report", out_ / "run.json", "--out", folder_.path() / "page.html"}});
  common::write_file_atomically(trace, "[" + kEvil);
  least_shown_ = 1;
  expect_harmless({"report", out_ / "run.json", "--out", folder_.path() / "page.html"}, "no JSON");
}

// Names of chunks, of the profile, and of the files themselves.
TEST_F(ShownText, OfPictures) {
  const std::string before = common::read_text_file(picture_);
  const std::size_t behind_the_header = 33;
  const std::string length("\0\0\0\x08", 4);
  const std::string content("\x1b\n\xe2\x80\xae\0ab____", 12);  // and a checksum that is wrong
  for (const std::string type : {"\x1b[3m", "iCCP", "tEXt", "eXIf", "zTXt"}) {
    common::write_file_atomically(picture_, before.substr(0, behind_the_header) + length + type + content +
                                                before.substr(behind_the_header));
    expect_harmless(decompose_arguments(), type);
  }
  common::write_file_atomically(picture_, kEvil);
  expect_harmless(decompose_arguments(), "no picture");
  fs::rename(picture_, folder_.path() / ("picture" + kEvil));
  picture_ = folder_.path() / ("picture" + kEvil);
  expect_harmless(decompose_arguments(), "its name");
  common::write_file_atomically(picture_, before);
  expect_harmless(decompose_arguments(), "the name of a picture that can be read");
}

TEST_F(ShownText, OfLayeredDocuments) {
  try {
    media::check_zip_is_built("write documents");
  } catch (const common::InputError& error) {
    least_shown_ = 0;
    GTEST_SKIP() << error.what();
  }
  std::string evil;  // as XML has it
  for (const char byte : kEvil) {
    const bool is_control = (byte >= 0 && byte < ' ') || byte == '\x7f';
    evil += is_control ? fmt::format("&#{};", static_cast<int>(byte)) : std::string(1, byte);
  }
  const std::string xml =
      R"(<image w="4" h="4"><stack name="@" opacity="@" visibility="@" composite-op="@" x="@">)"
      R"(<layer name="@" src="@" opacity="@" visibility="@" composite-op="@" y="@"/></stack></image>)";
  const fs::path file = folder_.path() / "layers.ora";
  least_shown_ = 1;
  for (std::size_t at = xml.find('@'); at != xml.npos; at = xml.find('@', at + 1)) {
    // The other attributes are left out.
    const std::string text = std::regex_replace(xml.substr(0, at), std::regex(" [a-z-]+=\"@\""), "") + evil +
                             std::regex_replace(xml.substr(at + 1), std::regex(" [a-z-]+=\"@\""), "");
    const std::vector<media::ZipEntry> entries{
        {"mimetype", media::ZipMethod::kStored, media::text_content("image/openraster")},
        {"stack.xml", media::ZipMethod::kDeflated, media::text_content(text)}};
    media::write_zip(file, entries);
    expect_harmless({"merge", "--in", file, "--out", folder_.path() / "merged.png"}, text);
  }
}

// Of all that is named on the command line, and of whole runs.
TEST_F(ShownText, OfPaths) {
  least_shown_ = 8;
  const fs::path model = folder_.path() / ("model" + kEvil);
  fs::rename(model_, model);
  model_ = model;
  out_ = folder_.path() / ("out" + kEvil);
  expect_harmless({"inspect", "--model", model_}, "the table");
  expect_harmless({"inspect", "--model", model_ / "none"}, "not there");
  expect_harmless({"plan", "--model", model_}, "the plan");
  expect_harmless(decompose_arguments(), "a whole run");
  ASSERT_TRUE(fs::exists(out_ / "run.json"));
  expect_harmless({"export", "--in", out_, "--format", "psd"}, "documents");
  expect_harmless({"export", "--in", out_, "--format", "psd", "--nest", kEvil}, "no folder");
  expect_harmless({"report", out_ / "run.json"}, "a page");
  expect_harmless({"rerun", out_ / "run.json"}, "made again");
  expect_harmless({"merge", "--in", out_, "--out", out_ / "merged.png"}, "put together");
  fs::remove(out_ / "composite.png");
  expect_harmless({"export", "--in", out_, "--format", "zip"}, "a cure with paths");
  expect_harmless({kEvil}, "a command");
  expect_harmless({"plan", "--" + kEvil}, "an option");
  expect_harmless({"plan", "--model", model_, "--devices", kEvil}, "a value");
}

TEST(VisibleOutput, LooksAtWholeLines) {
  std::ostringstream out;
  {
    VisibleOutput visible(out);
    std::ostream& stream = visible.stream();
    stream << "a\xe2\x80"
           << "\xae" << 'b';
    EXPECT_EQ(out.str(), "");
    stream << "c\nd" << std::flush;
    EXPECT_EQ(out.str(), "a\\u202Ebc\nd");
    stream << "\x1b[2J\n\n" << 7 << "e";
    EXPECT_TRUE(stream.good());
  }
  EXPECT_EQ(out.str(), "a\\u202Ebc\nd\\u001B[2J\n\n7e");
}

// The program itself, whose main() these tests stand in for.
TEST_F(ShownText, OfTheProgram) {
  least_shown_ = 0;
  const fs::path model = folder_.path() / ("model" + kEvil);
  fs::rename(model_, model);
  const layerpipe::testing::Outcome table = layerpipe::testing::run_program({"inspect", "--model", model});
  EXPECT_EQ(harm_in(table.out + table.err), "");
  EXPECT_NE(table.out.find(kSeen), std::string::npos);
  const auto refused = layerpipe::testing::run_program({"inspect", "--model", model / "none"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(harm_in(refused.out + refused.err), "");
  EXPECT_NE(refused.err.find(kSeen), std::string::npos);
}

}  // namespace
}  // namespace layerpipe::launch
