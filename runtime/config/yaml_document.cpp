#include "runtime/config/yaml_document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "common/errors.h"
#include "common/units.h"
#include "common/utf8.h"

namespace layerpipe::runtime {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kLongestShown = 60;
constexpr const char* kSeeReadme = "configs/README.md shows what such a file looks like.";
constexpr const char* kWriteItOut = "Write the value out wherever it is needed.";

bool is_control(std::uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
}

// The places of a text, and the first thing in it that no YAML file may hold.
class SourceText {
 public:
  SourceText(std::string_view text, const std::string& name) : text_(text), name_(name) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '\n') line_starts_.push_back(at + 1);
    }
  }

  [[noreturn]] void refuse(YamlPlace place, const std::string& what, const std::string& remedy) const {
    refuse_at(name_, place, what, remedy);
  }

  YamlPlace place_of(std::size_t offset) const {
    const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const auto line = static_cast<std::size_t>(next - line_starts_.begin());
    // Places are asked for from left to right: going on from the last one keeps a single long line from
    // taking the square of its length.
    if (line != last_.line || offset < last_offset_) {
      last_ = {line, 1};
      last_offset_ = line_starts_[line - 1];
    }
    for (; last_offset_ < offset; ++last_offset_) {
      const bool goes_on = (static_cast<unsigned char>(text_[last_offset_]) & 0xC0) == 0x80;
      last_.column += goes_on ? 0 : 1;
    }
    return last_;
  }

  // yaml-cpp counts from 0 and columns in bytes; errors of the whole text have no place.
  std::size_t offset_of(const YAML::Mark& mark) const {
    if (mark.line < 0 || mark.column < 0) return 0;
    const auto line = static_cast<std::size_t>(mark.line);
    if (line >= line_starts_.size()) return text_.size();
    return std::min(line_starts_[line] + static_cast<std::size_t>(mark.column), text_.size());
  }
  YamlPlace place_of(const YAML::Mark& mark) const { return place_of(offset_of(mark)); }

  // Whether a quote at `mark` is never closed: yaml-cpp takes the end of the file for its end.
  bool has_open_quote(const YAML::Mark& mark) const {
    const std::size_t start = offset_of(mark);
    const char quote = start < text_.size() ? text_[start] : ' ';
    if (quote != '"' && quote != '\'') return false;
    for (std::size_t at = start + 1; at < text_.size(); ++at) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (quote == '"' || !text_.substr(at + 1).starts_with(quote)) return false;
        ++at;
      }
    }
    return true;
  }

  // "&name" or "!!tag", at `mark`.
  std::string word_at(const YAML::Mark& mark) const {
    const std::string_view rest = text_.substr(offset_of(mark));
    return shown(rest.substr(0, rest.find_first_of(" \t\r\n,[]{}")));
  }

  void check_characters() const {
    bool in_comment = false;
    for (std::size_t at = 0; at < text_.size();) {
      const common::Utf8Step step = common::utf8_step(text_, at);
      if (!step.code_point) {
        refuse(place_of(at),
               fmt::format("the byte 0x{:02X} is not UTF-8", static_cast<unsigned char>(text_[at])),
               "Save the file as UTF-8.");
      }
      check_character(*step.code_point, at, in_comment);
      at += step.length;
    }
  }

 private:
  // What is behind # in a quoted text counts as a comment too, which lets no more through than a tab.
  void check_character(std::uint32_t code_point, std::size_t at, bool& in_comment) const {
    const char before = at == 0 ? '\n' : text_[at - 1];
    if (code_point == '\n') {
      in_comment = false;
    } else if (code_point == '#' && (before == ' ' || before == '\n' || before == '\t')) {
      in_comment = true;
    } else if (code_point == '\t') {
      if (!in_comment) refuse(place_of(at), "there is a tab", "Write blanks: a tab is of no known width.");
    } else if (code_point == '\r' && text_.substr(at + 1).starts_with('\n')) {
      return;
    } else if (is_control(code_point)) {
      refuse(place_of(at), fmt::format("there is the control character U+{:04X}", code_point),
             "Remove it; a partition config is a text.");
    }
  }

  std::string_view text_;
  const std::string& name_;
  std::vector<std::size_t> line_starts_{0};
  mutable YamlPlace last_;
  mutable std::size_t last_offset_ = 0;
};

// Builds the tree from what yaml-cpp's parser reports. Its own tree is not used: it follows aliases, keeps
// both of two equal keys, and is as deep as the file says.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const SourceText& source) : source_(source) {}
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      source_.refuse(source_.place_of(mark), "a second document begins here",
                     "A partition config is one document; remove the rest.");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(make(YamlNode::Kind::kNothing, mark)); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse_alias(mark); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    source_.refuse(source_.place_of(mark),
                   source_.word_at(mark) + " is an anchor, which a partition config may not have",
                   kWriteItOut);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    if (source_.has_open_quote(mark)) {
      source_.refuse(source_.place_of(mark), "a quote is never closed",
                     "Put the same quote behind the text.");
    }
    YamlNode node = make(YamlNode::Kind::kText, mark);
    node.text = value;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::kList);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::kMapping);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  [[noreturn]] void refuse_alias(const YAML::Mark& mark) const {
    source_.refuse(source_.place_of(mark),
                   source_.word_at(mark) + " is an alias, which a partition config may not have",
                   kWriteItOut);
  }

 private:
  struct Open {
    YamlNode node;
    bool has_key = false;                           // of a mapping: its last entry waits for its value
    std::map<std::string, std::size_t> lines = {};  // of a mapping's keys
  };

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) const {
    YamlNode node;
    node.kind = kind;
    node.place = source_.place_of(mark);
    return node;
  }

  // "?" stands for none, "!" for a quoted text.
  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    source_.refuse(source_.place_of(mark),
                   source_.word_at(mark) + " is a tag, which a partition config may not have",
                   "Write the value alone.");
  }

  void open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    check_tag(mark, tag);
    if (open_.size() == kDeepestYaml) {
      source_.refuse(source_.place_of(mark),
                     fmt::format("this is nested deeper than {} levels", kDeepestYaml), kSeeReadme);
    }
    open_.push_back({make(kind, mark)});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_key) {
      parent.node.entries.back().value = std::move(node);
      parent.has_key = false;
    } else {
      add_key(parent, node);
    }
  }

  void add_key(Open& mapping, const YamlNode& key) const {
    if (key.kind != YamlNode::Kind::kText) {
      source_.refuse(key.place, "a key is missing, or is no word", kSeeReadme);
    }
    if (key.text == "<<") {
      source_.refuse(key.place, "<< is a merge key, which a partition config may not have", kWriteItOut);
    }
    const auto [first, is_new] = mapping.lines.emplace(key.text, key.place.line);
    if (!is_new) {
      source_.refuse(key.place,
                     fmt::format("{} is given twice, first in line {}", shown(key.text), first->second),
                     "Remove one of them.");
    }
    mapping.node.entries.push_back({key.text, key.place, {}});
    mapping.has_key = true;
  }

  const SourceText& source_;
  YamlNode root_;
  std::vector<Open> open_;
  int documents_ = 0;
};

}  // namespace

YamlNode parse_yaml(std::string_view text, const std::string& name) {
  if (text.size() > kLargestYamlBytes) {
    refuse_at(name, {}, "the file has " + common::format_bytes(text.size()),
              "A partition config is a text of at most " + common::format_bytes(kLargestYamlBytes) + ".");
  }
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const SourceText source(text, name);
  source.check_characters();
  TreeBuilder builder(source);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::Exception& error) {
    // From 0.8 on the name follows.
    if (error.msg.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR)) builder.refuse_alias(error.mark);
    std::string reason = shown(error.msg);
    std::erase(reason, '"');
    source.refuse(source.place_of(error.mark), "this is not YAML: " + reason, kSeeReadme);
  }
  return builder.take();
}

void refuse_at(const std::string& name, YamlPlace place, const std::string& what, const std::string& remedy) {
  throw common::InputError(fmt::format("{}:{}:{}: {}", name, place.line, place.column, what), remedy);
}

std::string shown(std::string_view text) {
  std::string result;
  bool is_word = !text.empty();
  for (std::size_t at = 0; at < text.size();) {
    if (result.size() >= kLongestShown) {
      result += "…";
      break;
    }
    const common::Utf8Step step = common::utf8_step(text, at);
    const bool can_be_shown = step.code_point && !is_control(*step.code_point);
    result += can_be_shown ? text.substr(at, step.length) : std::string_view("?");
    is_word = is_word && step.code_point > std::uint32_t{' '};
    at += step.length;
  }
  return is_word ? result : '"' + result + '"';
}

}  // namespace layerpipe::runtime
