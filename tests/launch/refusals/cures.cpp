#include "tests/launch/refusals/cures.h"

#include <algorithm>
#include <filesystem>

#include "common/files.h"
#include "media/image.h"
#include "media/png_writer.h"
#include "tests/support/test_data.h"

namespace layerpipe::testing {
namespace {

namespace fs = std::filesystem;

// What is wrong with a run; nothing when it works. The cases' run.json tells of layers that nobody made: a
// rerun that has come to comparing them has worked.
std::string problem_of(const Workplace& w) {
  const Outcome outcome = w.run();
  const bool has_compared = w.arguments().front() == "rerun" &&
                            outcome.err.find("run.json: made again, layers ") != std::string::npos;
  return outcome.exit_code == 0 || has_compared
             ? ""
             : "it still ends with " + std::to_string(outcome.exit_code) + ": " + outcome.err;
}

// "--steps" of "--steps 0 is out of range"; empty for a message that begins otherwise.
std::string option_in(const std::string& message) {
  std::smatch match;
  return std::regex_search(message, match, std::regex("^(--[a-z-]+)")) ? match[1].str() : "";
}

// The words of "a, b or c".
std::vector<std::string> words_in(const std::string& list) {
  const std::regex joint("(?:, | or )");
  return {std::sregex_token_iterator(list.begin(), list.end(), joint, -1), {}};
}

// A model folder as it was published.
void restore(const Workplace& w) {
  fs::remove_all(w.model());
  fs::copy(test_data() / "parity" / "plain" / "model", w.model(), fs::copy_options::recursive);
}

// "run.yaml:2:12: reserve 1GB is …": its file, its line and the value.
struct PlaceInAFile {
  fs::path file;
  std::size_t line = 0;
  std::string value;
};
bool find_place(const std::string& message, PlaceInAFile& place) {
  std::smatch match;
  if (!std::regex_search(message, match, std::regex(R"(^(.*):(\d+):\d+: \w+ (\S+?)(?: is |: ))")))
    return false;
  place = {match[1].str(), std::stoul(match[2]), match[3]};
  return true;
}

// The first `from` in a line of a file becomes `to`.
void replace_in_line(const PlaceInAFile& place, const std::string& from, const std::string& to) {
  std::string text = common::read_text_file(place.file);
  std::size_t at = 0;
  for (std::size_t line = 1; line < place.line; ++line) at = text.find('\n', at) + 1;
  text.replace(text.find(from, at), from.size(), to);
  common::write_file_atomically(place.file, text);
}

std::string set_option(Workplace& w, const std::string& option, const std::string& value) {
  w.set(option, value);
  return problem_of(w);
}

// Where the option with a value that is wrong stands: on the command line, or as a key of a file.
void put_value(Workplace& w, const std::string& message, const std::string& value) {
  PlaceInAFile place;
  if (!option_in(message).empty()) return w.set(option_in(message), value);
  if (find_place(message, place)) replace_in_line(place, place.value, value);
}

// Every choice on the command line; in a file the first one.
std::string take_one_of(Workplace& w, const Said& said, const std::smatch& words) {
  const std::vector<std::string> arguments = w.arguments();
  std::vector<std::string> choices = words_in(words[1]);
  if (option_in(said.message).empty()) choices.resize(1);
  for (const std::string& choice : choices) {
    w.use(arguments);
    put_value(w, said.message, choice);
    const Outcome outcome = w.run();
    // Another thing may be missing for a choice: a GPU, the stages of a strategy.
    if (outcome.exit_code != 0 &&
        (choices.size() == 1 || outcome.err.find("is not known") != std::string::npos))
      return choice + ": " + outcome.err;
  }
  return "";
}

// "--variant bf16 or --variant fp16".
std::string take_options(Workplace& w, const Said&, const std::smatch& words) {
  const std::vector<std::string> arguments = w.arguments();
  const std::string text = words[1];
  const std::regex option("(--[a-z-]+) ([A-Za-z0-9_,-]*[A-Za-z0-9_])");
  for (std::sregex_iterator at(text.begin(), text.end(), option), end; at != end; ++at) {
    w.use(arguments);
    const std::string problem = set_option(w, (*at)[1], (*at)[2]);
    if (!problem.empty()) return at->str() + ": " + problem;
  }
  return "";
}

std::string look_into_help(Workplace&, const Said& said, const std::smatch& words) {
  std::vector<std::string> arguments{"--help"};
  const std::string command = words[1];
  if (!command.empty() && command != "COMMAND") arguments.insert(arguments.begin(), command);
  const Outcome outcome = run_program(arguments);
  if (outcome.exit_code != 0) return outcome.err;
  std::string option = option_in(said.message);
  const bool is_known = said.message.find(" is not an option of ") == std::string::npos;
  std::smatch meant;
  if (std::regex_search(said.message, meant, std::regex(R"(did you mean (\S+)\?)"))) option = meant[1];
  if (!is_known && meant.empty()) return "";
  return outcome.out.find(option) == std::string::npos ? "the help has no word of " + option : "";
}

std::string use_the_original(Workplace& w, const Said&, const std::smatch&) {
  restore(w);
  return problem_of(w);
}

std::string give_the_folder(Workplace& w, const Said&, const std::smatch& words) {
  w.set("--model", words[1]);
  return problem_of(w);
}

std::string give_a_model(Workplace& w, const Said&, const std::smatch&) {
  w.set("--model", test_data() / "parity" / "plain" / "model");
  return problem_of(w);
}

std::string leave_one_out(Workplace& w, const Said& said, const std::smatch&) {
  std::smatch other;
  if (!std::regex_search(said.message, other, std::regex(R"(guidance that (--\S+) is for)")))
    return "no option is named";
  std::vector<std::string> arguments = w.arguments();
  const auto found = std::find(arguments.begin(), arguments.end(), other[1].str());
  if (found == arguments.end()) return other[1].str() + " is not there";
  const bool has_value = found + 1 != arguments.end() && !(found + 1)->starts_with("--");
  arguments.erase(found, has_value ? found + 2 : found + 1);
  w.use(arguments);
  return problem_of(w);
}

// The name of a result where the command writes one; a folder for results elsewhere.
fs::path name_for_result(const Workplace& w, const std::string& option) {
  const std::string& command = w.arguments().front();
  if (option == "--dump-latents") return "latents.safetensors";
  if (command == "merge") return "merged_elsewhere.png";
  return command == "report" ? "page_elsewhere.html" : "elsewhere";
}

std::string choose_another(Workplace& w, const Said&, const std::smatch& words) {
  const std::string option = words.size() > 1 && words[1].matched ? words[1].str() : "--out";
  const fs::path elsewhere = w.folder() / "another folder";  // that around it may be what cannot be written
  fs::create_directory(elsewhere);
  return set_option(w, option, elsewhere / name_for_result(w, option));
}

// Both ways, the harmless one first.
std::string choose_another_or_overwrite(Workplace& w, const Said& said, const std::smatch& words) {
  const std::vector<std::string> arguments = w.arguments();
  const std::string problem = choose_another(w, said, std::smatch());
  if (!problem.empty()) return problem;
  w.use(arguments);
  w.add({words[1]});
  return problem_of(w);
}

std::string make_the_folder(Workplace& w, const Said& said, const std::smatch&) {
  std::smatch folder;
  if (!std::regex_search(said.message, folder, std::regex("there is no folder (.*)$")))
    return "no folder is named";
  fs::create_directories(folder[1].str());
  return problem_of(w);
}

std::string name_a_file(Workplace& w, const Said& said, const std::smatch&) {
  const std::string option = option_in(said.message);
  const auto& arguments = w.arguments();
  const auto found = std::find(arguments.begin(), arguments.end(), option);
  if (found == arguments.end()) return option + " is not there";
  return set_option(w, option, fs::path(*(found + 1)) / name_for_result(w, option));
}

// As its own words: they have no quotes inside.
std::string run_command(Workplace& w, const Said&, const std::smatch& words) {
  const std::string text = words[1];
  const std::regex blank(" ");
  const Outcome outcome = run_program({std::sregex_token_iterator(text.begin(), text.end(), blank, -1), {}});
  return outcome.exit_code == 0 ? problem_of(w) : outcome.err;
}

// The picture that the workplace came with, saved as the cure says: as a PNG of its usual size.
std::string rename_the_weights(Workplace& w, const Said& said, const std::smatch& words) {
  const fs::path folder = said.message.substr(0, said.message.find(" has no "));
  const fs::path original = test_data() / "parity" / "plain" / "model" / folder.filename() / words[1].str();
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors" || fs::file_size(entry) != fs::file_size(original))
      continue;
    fs::rename(entry.path(), folder / words[1].str());
    break;
  }
  return problem_of(w);
}

std::string add_flag(Workplace& w, const Said&, const std::smatch& words) {
  w.add({words[1]});
  return problem_of(w);
}

std::string leave_out_flag(Workplace& w, const Said&, const std::smatch& words) {
  std::vector<std::string> arguments = w.arguments();
  std::erase(arguments, words[1].str());
  w.use(arguments);
  return problem_of(w);
}

std::string give_a_value(Workplace& w, const Said& said, const std::smatch& words) {
  // The first example is a device's, the last one small enough to be kept free on any (a reserve, in a file).
  put_value(w, said.message, words[option_in(said.message).empty() ? 2 : 1]);
  return problem_of(w);
}

std::string give_a_speed(Workplace& w, const Said&, const std::smatch& words) {
  const std::string problem = set_option(w, "--devices", "24GiB@" + words[1].str());
  return problem.empty() ? set_option(w, "--devices", "24GiB@" + words[2].str()) : problem;
}

std::string give_devices(Workplace& w, const Said&, const std::smatch& words) {
  return set_option(w, "--devices", words[1]);
}

std::string describe(Workplace& w, const Said&, const std::smatch& words) {
  return set_option(w, "--prompt", words[1]);
}

std::string write_utf8(Workplace& w, const Said& said, const std::smatch&) {
  return set_option(w, option_in(said.message), "caf\xC3\xA9");
}

std::string take_a_smaller_seed(Workplace& w, const Said&, const std::smatch&) {
  return set_option(w, "--seed", "1");
}

std::string list_layers(Workplace& w, const Said&, const std::smatch&) {
  return set_option(w, "--layers", "0,1-1");
}

std::string write_layers(Workplace& w, const Said&, const std::smatch& words) {
  return set_option(w, "--layers", words[1]);
}

// A run that was made anew, in the place of the one that was given. It names its picture and its model, which
// have to be there.
std::string give_a_new_run(Workplace& w, const Said&, const std::smatch&) {
  Workplace maker;
  maker.set("--model", test_data() / "parity" / "plain" / "model");
  maker.set("--image", test_data() / "parity" / "plain" / "input.png");
  const fs::path fresh = w.folder() / "fresh";
  maker.set("--out", fresh);
  const Outcome made = maker.run();
  if (made.exit_code != 0) return made.err;
  std::vector<std::string> arguments = w.arguments();
  if (arguments.front() != "report" && arguments.front() != "rerun") return set_option(w, "--in", fresh);
  arguments.at(1) = fresh / "run.json";
  w.use(arguments);
  return problem_of(w);
}

// Or, where a layer of a run is the picture, a run whose layers are whole.
std::string give_a_good_picture(Workplace& w, const Said& said, const std::smatch& words) {
  if (w.arguments().front() == "export" || w.arguments().front() == "merge")
    return give_a_new_run(w, said, words);
  const fs::path good = w.folder() / "exported.png";
  fs::copy_file(test_data() / "parity" / "plain" / "input.png", good);
  w.set("--image", good);
  return problem_of(w);
}

std::string give_one_picture(Workplace& w, const Said&, const std::smatch&) {
  std::vector<std::string> arguments = w.arguments();
  const auto image = std::find(arguments.begin(), arguments.end(), "--image");
  auto end = image + 2;
  while (end != arguments.end() && !end->starts_with("--")) ++end;
  arguments.erase(image + 2, end);
  const auto count = std::find(arguments.begin(), arguments.end(), "--num-images");
  if (count != arguments.end()) arguments.erase(count, count + 2);
  w.use(arguments);
  return problem_of(w);
}

// "Crop it to 479 × 30 pixels, or take --resolution 640."
std::string crop(Workplace& w, const Said&, const std::smatch& words) {
  const std::vector<std::string> arguments = w.arguments();
  const fs::path cropped = w.folder() / "cropped.png";
  media::write_png(cropped, media::make_image(std::stoi(words[1]), std::stoi(words[2])));
  w.set("--image", cropped);
  const std::string problem = problem_of(w);
  if (!problem.empty() || !words[3].matched) return problem;
  w.use(arguments);
  return set_option(w, "--resolution", words[3]);
}

// Latents that a run of the same size has dumped.
std::string dump_latents(Workplace& w, const Said&, const std::smatch&) {
  const fs::path file = w.folder() / "dumped.safetensors";
  Workplace maker;
  maker.add({"--dump-latents", file});
  const Outcome made = maker.run();
  if (made.exit_code != 0) return made.err;
  return set_option(w, "--init-latents", file);
}

std::string start_fewer_ranks(Workplace& w, const Said&, const std::smatch& words) {
  std::string devices = "24GiB";
  for (int count = std::stoi(words[1]); count > 1; --count) devices += ",24GiB";
  return set_option(w, "--devices", devices);
}

std::string number_layers_anew(Workplace& w, const Said& said, const std::smatch&) {
  std::smatch names;
  const std::regex form("^(?:--in )?(.*) has (layer_\\d+\\.png), but no (layer_\\d+\\.png)");
  if (!std::regex_search(said.message, names, form)) return "no layer is named";
  const fs::path folder = names[1].str();
  fs::rename(folder / names[2].str(), folder / names[3].str());
  return problem_of(w);
}

// As if the command had been run: the small model stands for the one that it downloads.
std::string download(Workplace& w, const Said&, const std::smatch& words) {
  const fs::path folder = w.folder() / words[1].str();
  fs::copy(test_data() / "parity" / "plain" / "model", folder, fs::copy_options::recursive);
  return set_option(w, "--model", folder);
}

std::string put_variant_into_names(Workplace& w, const Said&, const std::smatch& words) {
  fs::rename(w.model() / "text_encoder" / "model.safetensors", w.model() / "text_encoder" / words[2].str());
  return set_option(w, "--variant", words[1]);
}

std::string decompose_with(Workplace& w, const Said&, const std::smatch& words) {
  w.use({"decompose", "--model", words[1], "--image", w.picture(), "--prompt", "a", "--any-resolution",
         "--resolution", "64", "--layers", "1", "--steps", "1", "--out", w.out()});
  if (words[2].matched) w.add({"--transformer", words[2]});
  return problem_of(w);
}

// The right key, in the line that has the wrong one.
std::string take_the_right_key(Workplace& w, const Said& said, const std::smatch&) {
  std::smatch keys;
  const std::regex form(R"(^(.*):(\d+):\d+: (\w+) is not a key of .* mean (\w+)\?)");
  if (!std::regex_search(said.message, keys, form)) return "no key is named";
  replace_in_line({.file = keys[1].str(), .line = std::stoul(keys[2]), .value = {}}, keys[3], keys[4]);
  return problem_of(w);
}

using Follow = decltype(CureRule::follow);

void add(std::vector<CureRule>& rules, const std::vector<std::string>& words, const Follow& follow) {
  for (const std::string& one : words) rules.push_back({one, follow});
}

std::vector<CureRule> rules_of_options() {
  std::vector<CureRule> rules;
  add(rules,
      {R"((?:[\s\S]*\n  )?(?:Put a text of several words into quotes\. )?See layerpipe(?: (\w+))? --help\.)"},
      look_into_help);
  add(rules, {R"(Take ((?:\w+(?:, | or ))*\w+)(?:, or several with commas between them)?\.)"}, take_one_of);
  add(rules, {R"(Take 640 or 1024, or add (--any-resolution)\.)"}, add_flag);
  add(rules,
      {R"((?:Take|Choose one:) ((?:--[a-z-]+ \w+(?:, | or )?)+)\.)", R"(.*,? or take (--device cpu)\.)",
       R"(Leave it out, or add a document: (--format [a-z,]+)\.)"},
      take_options);
  add(rules, {R"(Give a number and [^;]*such as (\w+), [^;]* or (\w+)(?:\.|; .*))"}, give_a_value);
  add(rules, {R"(Give a number and TFLOPS, such as (\w+), or a number and GB/s, such as (\S+)\.)"},
      give_a_speed);
  add(rules, {R"(Give one in TFLOPS and one in GB/s at most, such as (\S+)\.)"}, give_devices);
  add(rules, {R"(Leave one of the two out\.)"}, leave_one_out);
  add(rules, {R"(.* or leave out (--[a-z-]+)\.)"}, leave_out_flag);
  add(rules, {R"(Take a smaller --seed\.)"}, take_a_smaller_seed);
  add(rules, {R"(Start at most (\d+) ranks\.)"}, start_fewer_ranks);
  add(rules, {R"(Give one --image and leave --num-images at 1\.)"}, give_one_picture);
  add(rules, {R"x(Describe the picture in a sentence: --prompt "(.*)"\.)x"}, describe);
  add(rules, {R"(Write it in UTF-8: .*)"}, write_utf8);
  add(rules, {R"(Give what stands in the files' names, such as (\w+) of (\S+)\.)"}, put_variant_into_names);
  add(rules, {R"(The keys of partition are strategy, residency, reserve and stages\.)"}, take_the_right_key);
  return rules;
}

std::vector<CureRule> rules_of_models() {
  std::vector<CureRule> rules;
  add(rules,
      {R"(Copy the file from the model's original folder again\.)",
       R"(Save the file as UTF-8, or copy it from the model's original folder again\.)",
       R"(Save the file as UTF-8 without a byte order mark \(BOM\)\.)",
       R"(The file may be cut short or damaged; copy or download it again\.)",
       R"(The file is damaged; copy or download it again\.)",
       R"(Copy or download the model's missing files?\.)",
       R"(Copy or download the model's weights, or try --random-weights\.)",
       R"(Download it again, from the address of the file itself\.)",
       R"(Fetch the files: git lfs pull, in the model's folder\.)",
       R"(Use the original weights, which .* fetches\.)",
       R"(Download the files? again; if (?:it is as it was|they are as they were) published, layerpipe .*)",
       R"(Save the weights as safetensors: .* or download them as safetensors\.)",
       R"(Use the model's weights in BF16, F16, F32 or F64\.)",
       R"(Put the model's own weights there\.)",
       R"(Put a file there that holds this component alone, all of its names with the prefix or none\.)",
       R"(Save the model again without what was wrapped around it, so that each weight is there once\.)",
       R"(Check that (?:the config and the weights|all components|both) belong to the same model\.)",
       R"(Give a folder with all components to --model, or copy .* from the model's original folder\.)",
       R"(Use the tokenizer folder that the model was published with\.)",
       R"(The merges and the vocabulary belong to different tokenizers; copy the folder again\.)",
       R"(A byte-level vocabulary has one for each of the 256; is this the tokenizer of a Qwen model\?)"},
      use_the_original);
  add(rules, {R"(Give (/\S+) to --model\.)"}, give_the_folder);
  add(rules, {R"(Use (?:it as it is|them as they are): --model (/\S+)(?: --transformer (/\S+))?)"},
      decompose_with);
  add(rules,
      {R"(Give the folder of a (?:model in diffusers layout|Qwen-Image-Layered model) to --model\.)",
       R"(To take a picture apart, give a QwenImageLayeredPipeline to --model\.)"},
      give_a_model);
  add(rules, {R"(Download it: hf download \S+ --local-dir (\S+), and give --model \1\.)"}, download);
  add(rules, {R"(Rename the one that holds the weights to (\S+), or leave it alone there\.)"},
      rename_the_weights);
  return rules;
}

std::vector<CureRule> rules_of_files() {
  std::vector<CureRule> rules;
  add(rules,
      {R"(Give --out\.)", R"(Choose another (?:folder|--out)\.)",
       R"(Choose another (?:file|folder)(?: for (--[a-z-]+))?\.)",
       R"(Choose another folder, or move what is in the way\.)",
       R"(Wait until it has ended, or choose another folder\.)",
       R"(The (?:composite|page) is written as (?:PNG|HTML)\.)"},
      choose_another);
  add(rules, {R"((?:Choose another folder|Name another file with --out), or give (--overwrite): .*)"},
      choose_another_or_overwrite);
  add(rules, {R"(Make it, or choose another file\.)"}, make_the_folder);
  add(rules, {R"(Give the name of a file in it\.)"}, name_a_file);
  add(rules, {R"(Make it again: layerpipe (.*))"}, run_command);
  add(rules,
      {R"(Export the picture again, or copy it again from where it came\.)",
       R"(Give the path of a picture that may be read\.)", R"(Save the picture as PNG and give that file\.)",
       R"(Make the picture smaller first\.)", R"(Convert the picture to RGB \(sRGB\) and give that file\.)",
       R"(Start in the folder where the run was started, or say where it is: --image FILE\.)",
       R"(Give the picture that the run was made from\.)"},
      give_a_good_picture);
  add(rules, {R"(Crop it to (\d+) × (\d+) pixels(?:, or take --resolution (\d+))?\.)"}, crop);
  add(rules,
      {R"(A file that --dump-latents wrote holds such latents\.)",
       R"(Make them for the same picture size and number of layers\.)"},
      dump_latents);
  add(rules,
      {R"(Give a run\.json as layerpipe decompose wrote it\.)",
       R"(Give the folder of a finished run, as layerpipe decompose wrote it\.)",
       R"(Give a folder with layers as layerpipe decompose writes them, or an \.ora, \.psd or \.psb file\.)",
       R"(Run layerpipe decompose again, or give the folder of one result\.)",
       R"(Run layerpipe decompose again with --format png, or with the formats that you want\.)",
       R"(Check that this is the right file\.)"},
      give_a_new_run);
  add(rules, {R"(Give numbers and ranges with commas between them, such as 0,2-3\.)"}, list_layers);
  add(rules, {R"(Write (\d+-\d+); layers keep the order of the stack\.)"}, write_layers);
  add(rules, {R"(Put the missing layer back, or number the layers anew, from 0\.)"}, number_layers_anew);
  return rules;
}

}  // namespace

const std::vector<CureRule>& cure_rules() {
  static const std::vector<CureRule> all = [] {
    std::vector<CureRule> rules = rules_of_options();
    for (const auto& more : {rules_of_models(), rules_of_files()})
      rules.insert(rules.end(), more.begin(), more.end());
    return rules;
  }();
  return all;
}

const CureRule* rule_for(const std::string& cure) {
  for (const CureRule& rule : cure_rules()) {
    if (std::regex_match(cure, std::regex(rule.words))) return &rule;
  }
  return nullptr;
}

const std::vector<UnfollowedCure>& unfollowed_cures() {
  static const std::string kHandWritten =
      "the file of --partition has to be written by hand; tests/runtime/config has right ones";
  static const std::string kByHand = "an edit in another program";
  static const std::string kMachine = "the machine has to change";
  static const std::string kUser = "only the user knows which file was meant";
  static const std::string kOthers = "another program has to leave the file alone";
  static const std::string kDocument = "tests/launch/export_test.cpp exports documents and nested runs";
  static const std::vector<UnfollowedCure> cures{
      {R"(Convert it: python3 .*)", "followed by tests/launch/pickle_cure_test.py, which needs diffusers"},
      {R"(Check that the file exists and may be read\.)", kUser},
      {R"(Give a folder that is not there, or remove that one\.)", kUser},
      {R"(Give the path of a file\.)", kUser},
      {R"(The model may need a newer layerpipe.*)", "there is no other layerpipe here"},
      {R"(layerpipe \S+ wrote it, this is .*: take that one\.)", "there is no other layerpipe here"},
      {R"(Model, picture, versions and device are those of the run: .*)", "it says where to look"},
      {R"(Begin with \d+: .*)", kHandWritten},
      {R"(Give one with --partition; .*)", kHandWritten},
      {R"(configs/README\.md shows .*)", kHandWritten},
      {R"(Write the value out wherever it is needed\.)", kHandWritten},
      {R"(Remove one of them\.)", kHandWritten},
      {R"(Give the first and the last block, .*)", kHandWritten},
      {R"(Give every rank one stage\.)", kHandWritten},
      {R"(Change one of them; .*)", kHandWritten},
      {R"(Write strategy: explicit, or remove the stages\.)", kHandWritten},
      {R"(The keys of a partition config are .*)", kHandWritten},
      {R"(A partition config is .*)", kHandWritten},
      {R"(Write blanks: .*)", kHandWritten},
      {R"(Save the file as UTF-8\.)", kHandWritten},
      {R"(Give a whole number from 1 to 1000\.)", kHandWritten},
      {R"(Take a range within .*)", kHandWritten},
      {R"(Let the last range end with \d+\.)", kHandWritten},
      {R"(Start as many ranks as the partition has stages, numbered from 0\.)", kHandWritten},
      {R"(Give what is free on each device\.)", "only the user knows the devices"},
      {R"(Give what each device does in a second\.)", "only the user knows the devices"},
      {R"(Give what comes to each device in a second\.)", "only the user knows the devices"},
      {R"(Try again when nothing else writes to it\.)", kOthers},
      {R"(Leave the file alone while it is in use, .*)", kOthers},
      {R"(An earlier layerpipe wrote it: .*)", "there is no other layerpipe here"},
      {R"(Give the run of a layer of --in; .*)", kDocument},
      {R"(Name a folder for the new documents with --out\.)", kDocument},
      {R"(Start them with launch/run\.sh -n \d+, .*)",
       "there is but one process here; ranks_test starts several"},
      {R"(Convert it to .* \(in Photoshop: .*\) and save it again\.)", kByHand},
      {R"(In the program that it comes from, .*)", kByHand},
      {R"(Set it to Normal, or merge it .*)", kByHand},
      {R"(Save it with its layers: .*)", kByHand},
      {R"(Save it at [0-9]+ × [0-9]+ pixels again\.)", kByHand},
      {R"(Save all layers at one size\.)", kByHand},
      {R"(Open it in the program that it comes from and save it with plain layers\.)", kByHand},
      {R"(Free some space .*)", kMachine},
      {R"(Check the disk or the mount .*)", kMachine},
      {R"(Close other programs, or try a smaller .*)", kMachine},
      {R"(Close the other programs .*)", kMachine},
      {R"(Check with nvidia-smi; .*)", kMachine}};
  return cures;
}

}  // namespace layerpipe::testing
